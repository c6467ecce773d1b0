"""Önska kortanpassning: what the issuer wishes, what is done with it, and the generic one meanwhile (ADR 0223)."""

from typing import Any
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
from issuance.queries.administration import customisation_requests as query
from issuance.queries.administration import customisations, places
from issuance.queries.administration.customisations import Holding
from issuance.queries.administration.places import OrganisationHead
from issuance.services import configuration
from issuance.services.configuration import NOTE_LIMIT
from issuance.web.administration.around import actor_of, demand
from issuance.web.administration.customisation_forms import back_text_field
from issuance.web.administration.editing import answered
from issuance.web.administration.frames import organisation_page
from siths_portal.lib.errors import Conflict
from siths_portal.lib.forms import Form

_HERE = "organisation_customisation"


class WishForm(Form):
    """What is wished. What must hold is checked by the service."""

    back_text = back_text_field(
        gettext_lazy("Önskad baksidestext"),
        gettext_lazy("Vart ett upphittat kort skickas, och er kundservice. Högst 8 rader med 45 tecken i varje."),
    )
    logotype_note = forms.CharField(
        label=gettext_lazy("Önskad logotyp"),
        help_text=gettext_lazy("Vilken logotyp, och vilken funktionsbrevlåda hos er som har bilden. Skriv inga personuppgifter."),
        required=False,
        max_length=NOTE_LIMIT,
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={"max_length": gettext_lazy("Skriv högst %(limit_value)d tecken.")},
    )


@require_http_methods(["GET", "HEAD", "POST"])
def customisation_request(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Writes what the organisation wishes, or takes it back. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand(Action.VERIFY_CUSTOMISATION in head.rights)
    if "ta_tillbaka" in request.POST:
        configuration.withdraw_customisation_request(actor=actor, organisation_id=organisation_id)
        messages.success(request, _("Önskemålet är borttaget."))
        return redirect(_HERE, organisation_id)
    form, made, status = answered(
        request,
        WishForm,
        lambda given: configuration.request_customisation(
            actor=actor,
            organisation_id=organisation_id,
            back_text=given["back_text"],
            logotype_note=given["logotype_note"],
        ),
        first=lambda: _first(request, organisation_id),
    )
    if made is not None:
        messages.success(request, _("Önskemålet är sparat. Förvaltningen ser det i sin lista här i portalen."))
        return redirect(_HERE, organisation_id)
    context = {
        "form": form,
        "submit": _("Spara önskemålet"),
        "cancel_url": reverse(_HERE, args=[organisation_id]),
        "lead": _(
            "Förvaltningen ser önskemålet i portalen och låter kortleverantören lägga upp kortanpassningen. Leverantören ger den "
            "kortanpassnings-id och utfärdarnummer; dem behöver du inte ha."
        ),
    }
    step = _("Önska kortanpassning")
    return organisation_page(request, "administration/form.html", head, context, here=_HERE, step=step, status=status)


def _first(request: HttpRequest, organisation_id: UUID) -> dict[str, Any]:
    """What is wished already, else the back text that the organisation has of its own."""
    actor = actor_of(request)
    wish = query.wish_of(actor=actor, organisation_id=organisation_id)
    if wish is not None:
        return {"back_text": wish.back_text, "logotype_note": wish.logotype_note}
    holds = customisations.holding(actor=actor, organisation_id=organisation_id)
    return {"back_text": holds.facts.back_text if holds.facts and holds.own else ""}


@require_POST
def customisation_request_close(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Tells that the administration is done with a wish. Raises NotFound, Forbidden."""
    configuration.close_customisation_request(actor=actor_of(request), organisation_id=organisation_id)
    messages.success(request, _("Önskemålet är markerat som klart."))
    return redirect(_HERE, organisation_id)


@require_POST
def customisation_use_generic(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Lets the generic customisation hold until there is an own one. Raises NotFound, Forbidden."""
    try:
        configuration.use_generic_customisation(actor=actor_of(request), organisation_id=organisation_id)
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Den generella kortanpassningen gäller tills organisationen har en egen."))
    return redirect(_HERE, organisation_id)


def wish_context(request: HttpRequest, head: OrganisationHead, holds: Holding) -> dict[str, Any]:
    """What `administration/customisation_wish.html` shows on an organisation's page."""
    verifies, administers = Action.VERIFY_CUSTOMISATION in head.rights, Action.CREATE_ORGANISATION in head.rights
    own = [head.id]
    return {
        "wish": query.wish_of(actor=actor_of(request), organisation_id=head.id),
        "wish_url": reverse("customisation_request", args=own) if verifies else "",
        "wish_close_url": reverse("customisation_request_close", args=own) if administers else "",
        "generic_url": reverse("customisation_use_generic", args=own)
        if verifies and holds.facts is None and query.generic_is_ready()
        else "",
        "administers": administers,
    }
