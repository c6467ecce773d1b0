"""Önska kortanpassning: the issuer's request, closing it, and the generic customisation in the meantime (ADR 0189)."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST

from issuance.authz import Action
from issuance.customisations.queries import customisation_requests as query
from issuance.customisations.queries import customisations
from issuance.customisations.queries.customisations import Holding
from issuance.customisations.services.customisation_requests import (
    close_customisation_request,
    request_customisation,
    use_generic_customisation,
    withdraw_customisation_request,
)
from issuance.customisations.services.request_versions import request_version
from issuance.customisations.web.customisation_forms import back_text_field
from issuance.organisations.queries import places
from issuance.organisations.queries.places import OrganisationHead
from issuance.records.services.editing import Outdated
from issuance.records.web.editing import EditForm, submitted_form, version_sent
from issuance.records.web.frame import actor_of
from issuance.records.web.places import demand_there, organisation_page
from siths_portal.lib.errors import Conflict

_HERE = "organisation_customisation"


class CustomisationRequestForm(EditForm):
    """A request, with the version that was read. The service validates it."""

    columns: ClassVar[Mapping[str, str]] = {name: name for name in ("back_text", "logotype_note")}

    back_text = back_text_field(
        gettext_lazy("Önskad baksidestext"),
        gettext_lazy("Vart ett upphittat kort skickas, och numret till er kundservice. Högst 8 rader med 45 tecken i varje."),
    )
    logotype_note = forms.CharField(
        label=gettext_lazy("Önskad logotyp"),
        help_text=gettext_lazy("Vilken logotyp, och vilken funktionsbrevlåda hos er som har bilden. Skriv inga personuppgifter."),
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
def customisation_request(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Stores or withdraws the organisation's request. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, Action.VERIFY_CUSTOMISATION in head.rights)
    if "ta_tillbaka" in request.POST:
        return _close(request, organisation_id, withdraw_customisation_request, _("Önskemålet är tillbakataget."))
    form, made, status = submitted_form(
        request,
        CustomisationRequestForm,
        lambda given: request_customisation(
            actor=actor,
            organisation_id=organisation_id,
            back_text=given["back_text"],
            logotype_note=given["logotype_note"],
            version=given["version"],
        ),
        first=lambda: _initial(request, organisation_id),
    )
    if made is not None:
        messages.success(request, _("Önskemålet är sparat. SITHS-förvaltningen ser det i sin lista här i portalen."))
        return redirect(_HERE, organisation_id)
    context = {
        "form": form,
        "submit": _("Spara önskemålet"),
        "cancel_url": reverse(_HERE, args=[organisation_id]),
        "lead": _(
            "SITHS-förvaltningen ser önskemålet i portalen och låter kortleverantören skapa kortanpassningen. "
            "Kortanpassnings-id och utfärdarnummer kommer från leverantören, så dem behöver du inte ha."
        ),
    }
    step = _("Önska kortanpassning")
    return organisation_page(request, "components/form.html", head, context, here=_HERE, step=step, status=status)


def _initial(request: HttpRequest, organisation_id: UUID) -> dict[str, Any]:
    """Returns the open request, or the organisation's current back text."""
    actor = actor_of(request)
    # Read before the request, so a concurrent change counts as unseen.
    version = request_version(organisation_id)
    open_request = query.request_of(actor=actor, organisation_id=organisation_id)
    if open_request is not None:
        return {"back_text": open_request.back_text, "logotype_note": open_request.logotype_note, "version": version}
    holds = customisations.holding(actor=actor, organisation_id=organisation_id)
    return {"back_text": holds.facts.back_text if holds.facts and holds.own else "", "version": version}


@require_POST
def customisation_request_close(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Closes a request for the administration. Raises NotFound, Forbidden."""
    done = _("Önskemålet är markerat som klart.")
    return _close(request, organisation_id, close_customisation_request, done)


def _close(request: HttpRequest, organisation_id: UUID, end: Callable[..., bool], done: str) -> HttpResponse:
    """Closes the request that the page showed and adds a message. A request that has changed since stays open."""
    try:
        ended = end(actor=actor_of(request), organisation_id=organisation_id, version=version_sent(request))
    except Outdated:
        messages.error(request, _("Önskemålet ändrades sedan du öppnade sidan, och är kvar. Läs det igen."))
    else:
        if ended:
            messages.success(request, done)
        else:
            messages.info(request, _("Önskemålet var redan avslutat."))
    return redirect(_HERE, organisation_id)


@require_POST
def customisation_use_generic(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Uses the generic customisation until the organisation has its own. Raises NotFound, Forbidden."""
    try:
        use_generic_customisation(actor=actor_of(request), organisation_id=organisation_id)
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Den generella kortanpassningen gäller tills organisationen har en egen."))
    return redirect(_HERE, organisation_id)


def request_context(request: HttpRequest, head: OrganisationHead, holds: Holding) -> dict[str, Any]:
    """Returns the context of `customisations/customisation_wish.html` on an organisation's page."""
    verifies, administers = Action.VERIFY_CUSTOMISATION in head.rights, Action.CREATE_ORGANISATION in head.rights
    own = [head.id]
    # Read before the request, as in `_initial`.
    version = request_version(head.id)
    return {
        "wish_version": version,
        "wish": query.request_of(actor=actor_of(request), organisation_id=head.id),
        "wish_url": reverse("customisation_request", args=own) if verifies else "",
        "wish_close_url": reverse("customisation_request_close", args=own) if administers else "",
        "generic_url": reverse("customisation_use_generic", args=own)
        if verifies and holds.facts is None and query.generic_is_ready()
        else "",
        "administers": administers,
    }
