"""The page Avsluta organisationen: hindrances with links to remove them, the reason, and reopening (ADR 0222)."""

from collections.abc import Iterator
from dataclasses import dataclass
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
from issuance.organisations.queries import ending, organisations, places
from issuance.organisations.queries.places import OrganisationHead
from issuance.organisations.services.ending import end_organisation, hindrances, reopen_organisation
from issuance.records.web.editing import submitted_form
from issuance.records.web.frame import actor_of, demand
from issuance.records.web.places import organisation_page
from siths_portal.lib.errors import Conflict
from siths_portal.lib.pages.forms import Form


class ReasonForm(Form):
    """The reason for closing an organisation. The service limits its length, because it counts a line break as one character."""

    reason = forms.CharField(
        label=gettext_lazy("Varför avslutas organisationen?"),
        help_text=gettext_lazy("Sparas i historiken. Skriv inga personuppgifter."),
        widget=forms.Textarea(attrs={"rows": 3}),
        error_messages={
            "required": gettext_lazy("Skriv varför organisationen avslutas."),
        },
    )


@dataclass(frozen=True)
class Hindrance:
    """A hindrance to closing, and the page where it is removed. `url` is empty if the reader may not open that page."""

    text: str
    link: str
    url: str


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_end(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Closes an organisation with a reason, or shows what prevents that. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    if head.ended:
        return redirect("organisation", organisation_id)
    demand(head.may_change)
    form, made, status = submitted_form(
        request,
        ReasonForm,
        lambda given: end_organisation(actor=actor, organisation_id=organisation_id, reason=given["reason"]),
    )
    if made is not None:
        messages.success(request, _("Organisationen är avslutad."))
        return redirect("organisation", organisation_id)
    against = list(_against(head, hindrances(organisation_id)))
    offices = organisations.connected_offices(actor=actor, organisation_id=organisation_id).count(1)
    context = {
        "lead": _("Organisationen kan inte avslutas än. Ta först hand om det som återstår.") if against else "",
        "form": None if against else form,
        "against": against,
        "consequences": [
            _("Organisationen kan inte väljas, och inga kort kan beställas i den."),
            _("Uppgifter, historik och fakturor finns kvar."),
            *([_("Kontoren kopplas bort från organisationen.")] if offices else []),
            *([] if head.is_sub_organisation else [_("Abonnemangsavgiften upphör i dag.")]),
            _("Du kan återuppta organisationen senare."),
        ],
        "cancel_url": reverse("organisation", args=[organisation_id]),
    }
    template, step = "organisations/organisation_end.html", _("Avsluta organisationen")
    return organisation_page(request, template, head, context, here="organisation", step=step, status=status)


def _against(head: OrganisationHead, found: frozenset[str]) -> Iterator[Hindrance]:
    own = reverse("organisation", args=[head.id])
    if "issuing" in found:
        url = reverse("area_edit", args=[head.area.id]) if Action.CREATE_ORGANISATION in head.rights else ""
        yield Hindrance(_("Organisationen är utgivande i området."), _("Välj en annan utgivande organisation"), url)
    if "sub_organisations" in found:
        text = _("Organisationen har underorganisationer. Avsluta eller flytta dem först.")
        yield Hindrance(text, _("Visa underorganisationerna"), f"{own}#underorganisationer")
    if "orders" in found:
        text = _(
            "Det finns beställningar som inte är skickade. Ta bort dem på personernas sidor, eller vänta tills korten är klara."
        )
        yield Hindrance(text, _("Visa innehavarna"), reverse("organisation_holders", args=[head.id]))
    if "cards" in found:
        text = _("Det finns kort eller SITHS eID som gäller eller är på väg. Spärra dem, eller vänta tills de har gått ut.")
        yield Hindrance(text, _("Visa innehavarna"), reverse("organisation_holders", args=[head.id]))
    if "roles" in found:
        url = reverse("organisation_roles", args=[head.id]) if Action.ASSIGN_ROLE in head.rights else ""
        yield Hindrance(_("Någon har en roll i organisationen, nu eller framöver."), _("Ta bort rollerna"), url)


@require_POST
def organisation_reopen(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Reopens a closed organisation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand(head.ended or head.may_change)
    try:
        reopen_organisation(actor=actor, organisation_id=organisation_id)
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Organisationen är återupptagen. Koppla kontor och kontrollera dess uppgifter."))
    return redirect("organisation", organisation_id)


def ended_context(request: HttpRequest, head: OrganisationHead) -> dict[str, object]:
    """Returns the context of `organisations/ended.html`; empty for an open organisation."""
    if not head.ended:
        return {}
    found = ending.ended(actor=actor_of(request), organisation_id=head.id)
    return {"ended": found, "reopen_url": reverse("organisation_reopen", args=[head.id])}
