"""Pages of card customisations (rules/issuance 7.6): the card's look, missing parts, and the issuer's verification (ADR 0189)."""

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from authn import service as authn
from issuance.authz import Action, policy
from issuance.customisations.queries import customisation_requests as request_queries
from issuance.customisations.queries import customisations as query
from issuance.customisations.queries.customisation_requests import OpenRequest
from issuance.customisations.queries.customisations import CustomisationFacts, Replaced
from issuance.customisations.services.customisations import (
    Seen,
    edit_customisation,
    register_customisation,
    register_generic_customisation,
    verify_customisation,
)
from issuance.customisations.services.removal import Replacing, remove_customisation, withdraw_pending_customisation
from issuance.customisations.services.request_versions import request_version
from issuance.customisations.web.card_drawing import drawing
from issuance.customisations.web.customisation_forms import CustomisationForm
from issuance.customisations.web.customisation_requests import request_context
from issuance.customisations.web.lists import CustomisationList, OwnerList
from issuance.organisations.queries import organisations, places
from issuance.organisations.queries.places import OrganisationHead
from issuance.records.web.editing import initial, submitted_form, version_sent
from issuance.records.web.frame import (
    ADMINISTRATION,
    Crumb,
    Link,
    actor_of,
    demand,
    object_page,
    object_tabs,
    render_page,
)
from issuance.records.web.history import TEMPLATE as HISTORY
from issuance.records.web.history import HistoryList
from issuance.records.web.places import demand_there, organisation_page
from issuance.records.web.values import row
from siths_portal.lib.errors import Conflict
from siths_portal.lib.ids import id_of

_FORM = "components/form.html"
_NONE = UUID(int=0)
_LEAD = gettext_lazy(
    "Be först kortleverantören skapa kortanpassningen, utanför portalen. Skriv in det kortanpassnings-id och utfärdarnummer som "
    "du får. Leverantören laddar sedan upp logotypen till portalen."
)


@require_safe
@ADMINISTRATION.requires()
def customisations(request: HttpRequest) -> HttpResponse:
    """Lists the card customisations that the actor sees, with their progress. Raises Forbidden."""
    actor = actor_of(request)
    shown = CustomisationList(request).shown()
    context = {"form": shown.form, "list": shown, "wishes": request_queries.open_requests(actor=actor)}
    may_add = policy.holds(actor, Action.CREATE_ORGANISATION) and not organisations.generic_exists()
    link = Link(_("Skapa den generella kortanpassningen"), reverse("customisation_new_generic"))
    return render_page(
        request,
        ADMINISTRATION,
        "customisations/customisations.html",
        context,
        heading=_("Kortanpassningar"),
        crumbs=[Crumb(_("Kortanpassningar"))],
        configuration=[link] if may_add else [],
        status=shown.status,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def customisation(request: HttpRequest, customisation_id: UUID) -> HttpResponse:
    """Shows both sides of a card customisation, and verifies it. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    found = query.customisation(actor=actor, customisation_id=customisation_id)
    pending = query.pending_at(actor=actor, customisation_id=customisation_id)
    refusal, status = "", 200
    if request.method == "POST":
        demand(found.may_verify)
        seen = Seen(version_sent(request), request.POST.get("logotyp", ""))
        try:
            verify_customisation(actor=actor, customisation_id=customisation_id, seen=seen)
        except Conflict as error:
            refusal, status = error.message, error.http_status
            found = query.customisation(actor=actor, customisation_id=customisation_id)
        else:
            text = _("Kortanpassningen är verifierad.")
            if pending:
                text = _("Kortanpassningen är verifierad och gäller nu för nya kort för {name}.").format(name=pending.name)
            messages.success(request, text)
            return redirect("customisation", customisation_id)
    context = {
        **_shown(found),
        "lead": _state_of(found),
        "refusal": refusal,
        "edit_url": reverse("customisation_edit", args=[customisation_id]) if found.may_edit else "",
        "pending": pending,
        "list": OwnerList(request, found).shown(),
    }
    return _page(request, "customisations/customisation.html", found, context, here="customisation", status=status)


def _state_of(found: CustomisationFacts) -> str:
    """Returns the sentence about whether cards can be ordered with a customisation."""
    if found.standing.verified_on:
        return _("Kortanpassningen är verifierad.")
    return _("Kortanpassningen är inte klar.") if found.missing else _("Kortanpassningen väntar på att verifieras.")


def _whose(holds: query.Holding) -> str:
    """Returns the sentence about the customisation that applies to an organisation."""
    if holds.facts is None:
        return ""
    if holds.own:
        return _("Organisationen har en egen kortanpassning.")
    if holds.facts.generic or holds.above is None:
        return _("Organisationens kort har den generella kortanpassningen, som SITHS-förvaltningen sköter.")
    return _("Organisationen har ingen egen kortanpassning. Den från {name} gäller.").format(name=holds.above.name)


def _shown(found: CustomisationFacts) -> dict[str, Any]:
    """Returns the context of `customisations/customisation_card.html`."""
    standing = found.standing
    verified = _("Nej")
    if standing.verified_on:
        verified = _("{day} av {who}").format(day=standing.verified_on, who=found.verified_by)
    return {
        "found": found,
        "drawing": drawing(found),
        "facts": [
            row(_("Kortanpassning"), found.name),
            row(_("Kortanpassnings-id"), found.customisation_id, copy=True),
            row(_("Utfärdarnummer"), found.issuer_number or _("Saknas")),
            row(_("Organisationslogotyp"), _("Uppladdad av kortleverantören") if found.logotype else _("Saknas")),
            row(_("Baksidestext"), _in_lines(found.back_text.splitlines()) or _("Saknas")),
            row(_("Kortleverantör"), found.supplier or _("Saknas")),
            row(_("Verifierad"), verified),
        ],
    }


def _in_lines(lines: Iterable[str]) -> SafeString:
    return format_html_join(SafeString("<br>"), "{}", ((line,) for line in lines))


def _page(
    request: HttpRequest,
    template: str,
    found: CustomisationFacts,
    context: dict[str, Any],
    *,
    here: str = "",
    step: str = "",
    status: int = 200,
) -> HttpResponse:
    names = (("customisation", _("Uppgifter")), ("customisation_history", _("Historik")))
    return object_page(
        request,
        ADMINISTRATION,
        template,
        context,
        name=found.name,
        kind=_("Generell kortanpassning") if found.generic else _("Kortanpassning"),
        step_kind=found.name,
        way=[
            Crumb(_("Kortanpassningar"), reverse("customisations")),
            Crumb(found.name, reverse("customisation", args=[found.id])),
        ],
        step=step,
        tabs=object_tabs(names, found.id, here),
        status=status,
    )


@require_http_methods(["GET", "HEAD", "POST"])
def customisation_edit(request: HttpRequest, customisation_id: UUID) -> HttpResponse:
    """Edits a card customisation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    found = query.customisation(actor=actor, customisation_id=customisation_id)
    demand(found.may_edit)
    suppliers = authn.suppliers()
    if found.supplier_ref:
        suppliers.setdefault(found.supplier_ref, _("{name} (inte längre registrerad)").format(name=found.supplier))
    form, made, status = submitted_form(
        request,
        partial(CustomisationForm, suppliers=suppliers),
        lambda given: edit_customisation(
            actor=actor, customisation_id=customisation_id, version=given["version"], data=CustomisationForm.data_of(given)
        ),
        first=lambda: initial(CustomisationForm, found),
    )
    if made is not None:
        messages.success(request, _("Kortanpassningen är sparad."))
        return redirect("customisation", customisation_id)
    consequences = []
    if found.standing.verified_on:
        consequences.append(
            _(
                "Ändrar du utfärdarnumret, baksidestexten eller kortleverantören upphör verifieringen. Kort kan då inte "
                "beställas förrän kortanpassningen har verifierats igen."
            )
        )
    context = {
        "form": form,
        "submit": _("Spara"),
        "cancel_url": reverse("customisation", args=[customisation_id]),
        "consequences": consequences,
        "drawing": drawing(found),
    }
    template, step = "customisations/customisation_form.html", _("Redigera kortanpassningen")
    return _page(request, template, found, context, step=step, status=status)


@require_safe
def customisation_history(request: HttpRequest, customisation_id: UUID) -> HttpResponseBase:
    """Shows the history of a card customisation. Raises NotFound, Forbidden."""
    found = query.customisation(actor=actor_of(request), customisation_id=customisation_id)
    return HistoryList(request, "customisation", customisation_id).page(
        lambda context, status: _page(request, HISTORY, found, context, here="customisation_history", status=status)
    )


@require_safe
def organisation_customisation(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Shows the look of an organisation's cards: its own customisation, inherited or generic, and its own pending one.

    Raises NotFound, Forbidden.
    """
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    holds = query.holding(actor=actor, organisation_id=organisation_id)
    administers = Action.CREATE_ORGANISATION in head.rights
    gives_up = administers and holds.own and (head.is_sub_organisation or request_queries.generic_is_ready())
    context = {
        "holds": holds,
        "lead": _whose(holds),
        **request_context(request, head, holds),
        **(_shown(holds.facts) if holds.facts else {}),
        "new_url": reverse("customisation_new", args=[organisation_id])
        if administers and not holds.own and not holds.pending
        else "",
        "give_up_url": reverse("customisation_give_up", args=[organisation_id]) if gives_up else "",
        "withdraw_url": reverse("customisation_withdraw", args=[organisation_id]) if administers and holds.pending else "",
    }
    template = "customisations/organisation_customisation.html"
    return organisation_page(request, template, head, context, here="organisation_customisation")


@require_http_methods(["GET", "HEAD", "POST"])
def customisation_new(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Creates a card customisation for an organisation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, Action.CREATE_ORGANISATION in head.rights)
    # Read before the request, so a concurrent change counts as unseen.
    version = request_version(organisation_id)
    open_request = request_queries.request_of(actor=actor, organisation_id=organisation_id)
    suppliers = authn.suppliers()
    form, made, status = submitted_form(
        request,
        partial(CustomisationForm, suppliers=suppliers, new=True),
        lambda given: register_customisation(
            actor=actor,
            organisation_id=organisation_id,
            customisation_id=given["customisation_id"],
            request_version=given["version"],
            **_data(given),
        ),
        first=lambda: {
            "name": head.name,
            "back_text": open_request.back_text if open_request else "",
            "version": version,
            "supplier_ref": _only(suppliers),
        },
    )
    if made is not None:
        messages.success(request, _("Kortanpassningen är skapad."))
        return redirect("customisation", made.id)
    context = {
        "form": form,
        "submit": _("Skapa kortanpassningen"),
        "cancel_url": reverse("organisation_customisation", args=[organisation_id]),
        "lead": _lead(open_request),
        "consequences": _until_verified(head, query.replaced_by_own(actor=actor, organisation_id=organisation_id)),
    }
    step = _("Skapa kortanpassning")
    return organisation_page(request, _FORM, head, context, here="organisation_customisation", step=step, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def customisation_give_up(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Removes an organisation's own card customisation after showing the consequences. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, Action.CREATE_ORGANISATION in head.rights)
    refusal, status = "", 200
    try:
        if request.method == "POST":
            own, above = (id_of(request.POST.get(name, "")) for name in ("egen", "ovanifran"))
            seen = Replacing(own or _NONE, above)
            try:
                remove_customisation(actor=actor, organisation_id=organisation_id, seen=seen)
            except Conflict as error:
                refusal, status = error.message, error.http_status
            else:
                messages.success(request, _("Den egna kortanpassningen är borttagen från organisationen."))
                return redirect("organisation_customisation", organisation_id)
        found = query.removal(actor=actor, organisation_id=organisation_id)
    except Conflict as error:
        messages.error(request, error.message)
        return redirect("organisation_customisation", organisation_id)
    context = {
        "found": found,
        "drawing": drawing(found.after) if found.after else None,
        "refusal": refusal,
        "cancel_url": reverse("organisation_customisation", args=[organisation_id]),
    }
    template, step = "customisations/customisation_give_up.html", _("Ta bort den egna kortanpassningen")
    return organisation_page(request, template, head, context, here="organisation_customisation", step=step, status=status)


@require_POST
def customisation_withdraw(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Removes the pending customisation that the page showed from an organisation. Raises NotFound, Forbidden."""
    seen = id_of(request.POST.get("kortanpassning", "")) or _NONE
    try:
        withdraw_pending_customisation(actor=actor_of(request), organisation_id=organisation_id, seen=seen)
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Den nya kortanpassningen är borttagen från organisationen. Den nuvarande gäller som förut."))
    return redirect("organisation_customisation", organisation_id)


@require_http_methods(["GET", "HEAD", "POST"])
def generic_new(request: HttpRequest) -> HttpResponse:
    """Creates the generic card customisation. Raises Forbidden."""
    actor = actor_of(request)
    policy.require_global(actor, Action.CREATE_ORGANISATION)
    suppliers = authn.suppliers()
    form, made, status = submitted_form(
        request,
        partial(CustomisationForm, suppliers=suppliers, new=True),
        lambda given: register_generic_customisation(actor=actor, customisation_id=given["customisation_id"], **_data(given)),
        first=lambda: {"name": "SITHS eID", "supplier_ref": _only(suppliers)},
    )
    if made is not None:
        messages.success(request, _("Kortanpassningen är skapad."))
        return redirect("customisation", made.id)
    step = _("Skapa den generella kortanpassningen")
    context = {"form": form, "submit": _("Skapa kortanpassningen"), "cancel_url": reverse("customisations"), "lead": _LEAD}
    crumbs = [Crumb(_("Kortanpassningar"), reverse("customisations")), Crumb(step)]
    return render_page(request, ADMINISTRATION, _FORM, context, heading=step, crumbs=crumbs, status=status)


def _only(suppliers: Mapping[str, str]) -> str:
    """Returns the reference of the only supplier, which then needs no choice; empty if there are several."""
    return next(iter(suppliers)) if len(suppliers) == 1 else ""


def _until_verified(head: OrganisationHead, found: Replaced | None) -> list[str]:
    """Returns the consequences: until when the current customisation applies, and which cards get the new one."""
    if found is None:
        return []
    whose = _("från {name}").format(name=found.above.name) if found.above else _("den generella")
    sentences = [
        _(
            "Kort för {place} beställs nu med kortanpassningen {name} ({whose}). Den fortsätter att gälla tills ansvarig eller "
            "biträdande utgivare har verifierat den nya. Den nya kan tas bort innan dess."
        ).format(place=head.name, name=found.name, whose=whose)
    ]
    if found.below:
        names = ", ".join(found.below)
        listed = _("{names} och {more} till").format(names=names, more=found.more) if found.more else names
        sentences.append(_("När den nya är verifierad gäller den också för {names}.").format(names=listed))
    sentences.append(_("Beställningar som redan är gjorda påverkas inte."))
    return sentences


def _lead(open_request: OpenRequest | None) -> str:
    """Returns the lead text: the administration's first step, and the requested logotype."""
    if open_request is None or not open_request.logotype_note:
        return str(_LEAD)
    return _("{lead} Önskad logotyp: {note}").format(lead=_LEAD, note=open_request.logotype_note)


def _data(given: dict[str, Any]) -> dict[str, Any]:
    return vars(CustomisationForm.data_of(given))
