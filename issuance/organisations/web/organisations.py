"""Pages of organisations and sub-organisations (rules/issuance 7.3, 7.4)."""

from functools import partial
from http import HTTPStatus
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from issuance.administration.queries import next_steps, readiness
from issuance.administration.queries.change_words import organisation_number
from issuance.articles.queries import articles
from issuance.articles.services.fees import fee_version, set_subscription_fee
from issuance.authz import Action, Actor
from issuance.organisations.models import Organisation
from issuance.organisations.queries import areas, organisations, places
from issuance.organisations.queries.organisations import Customisation, OrganisationFacts
from issuance.organisations.queries.places import OrganisationHead
from issuance.organisations.services.organisations import create_organisation, edit_organisation
from issuance.organisations.web.catalogue import DirectoryCheck
from issuance.organisations.web.ending import ended_context
from issuance.organisations.web.forms import FeeForm, OrganisationForm
from issuance.organisations.web.lists import OfficeList, OrderableArticleList, SubOrganisationList
from issuance.records.web import created
from issuance.records.web.editing import at_first_field, initial, submitted_form, wants_another
from issuance.records.web.frame import actor_of, demand
from issuance.records.web.places import area_page, demand_there, organisation_page
from issuance.records.web.values import row
from siths_portal.lib import clock
from siths_portal.lib.ids import id_of
from siths_portal.lib.lists import Empty

_FORM = "components/form.html"
_READY = gettext_lazy("Inget saknas: kort kan beställas i organisationen.")
_NO_OFFICE = Empty(
    gettext_lazy("Inget kopplat kontor"),
    gettext_lazy("Utan ett kopplat kontor kan inga kort beställas för organisationens personer."),
)
_GENERIC = {"generic": True, "above": False}
"""The submitted choices of a card customisation. They count even if the form no longer offers the field."""

_BEFORE = "som"
"""The parameter with the id of the previously created organisation, if the user adds another."""


@require_safe
def organisation(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Shows an organisation with its offices and sub-organisations. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    found = organisations.organisation_facts(actor=actor, organisation_id=organisation_id)
    connected = organisations.connected_offices(actor=actor, organisation_id=organisation_id)
    offices = OfficeList(request, connected, _NO_OFFICE).shown()
    new_url = reverse("sub_organisation_new", args=[head.id]) if Action.CREATE_SUB_ORGANISATION in head.rights else ""
    below = SubOrganisationList(request, head, new_url).shown()
    has_offices = any(not line.closed for line in offices.lines) or readiness.has_offices(head.id)
    steps = list(next_steps.of_organisation(actor, head, found, offices=has_offices, below=bool(below.lines)))
    arranged = next_steps.arranged(steps)
    context = {
        "head": head,
        "lead": arranged.lead or (_READY if next_steps.takes_orders(head, found, steps) else ""),
        "arranged": arranged,
        "steps": steps,
        "all_closed": bool(offices.lines) and not has_offices,
        **ended_context(request, head),
        "facts": list(_facts(head, found)),
        "articles": OrderableArticleList(request, articles.chosen(organisation_id=organisation_id)).shown(),
        "articles_url": reverse("organisation_articles", args=[head.id]) if Action.CHOOSE_ARTICLES in head.rights else "",
        "offices": offices,
        "organisations": below.lines,
        "list": below,
        "new_url": new_url,
        "edit_url": reverse("organisation_edit", args=[head.id]) if head.may_change else "",
    }
    return organisation_page(request, "organisations/organisation.html", head, context, here="organisation")


def _facts(head: OrganisationHead, found: OrganisationFacts) -> list[dict[str, Any]]:
    area_url = reverse("area", args=[head.area.id]) if head.area.seen else ""
    rows = [
        row(_("Utgivningsområde"), head.area.name, url=area_url, action=_("Visa")),
        row(_("Organisations-id i användarkatalog (HSA-id)"), found.hsa_id, copy=True),
        row(_("Organisationsnummer"), organisation_number(found.organisation_number)),
        row(_("Land"), found.country),
        row(_("Län"), found.county),
        row(_("Organisationsnamn"), found.name),
        row(
            _("Utfärdarnummer"),
            found.customisation.issuer_number
            or _("Saknas. SITHS-förvaltningen får numret, 4 siffror, av kortleverantören och skriver in det i kortanpassningen."),
        ),
        row(_("Abonnemangsavgift"), _fee(head, found)),
        row(_("Anslutning"), _connection(head, found)),
        row(
            _("Kortanpassning"),
            customisation_words(found.customisation),
            url=reverse("organisation_customisation", args=[head.id]),
            action=_("Visa"),
        ),
    ]
    if head.above:
        parent = head.above[-1]
        url = reverse("organisation", args=[parent.id]) if parent.seen else ""
        rows.insert(1, row(_("Tillhör organisation"), parent.name, url=url, action=_("Visa")))
    return rows


def _fee(head: OrganisationHead, found: OrganisationFacts) -> str:
    if head.above:
        return _("Räknas med {name}").format(name=head.above[0].name)
    text = _("Ej bestämd, tas inte ut") if found.charged is None else _("Ja") if found.charged else _("Nej")
    if found.charged_since:
        text = _("{value}, sedan {day}").format(value=text, day=found.charged_since)
    if found.next_fee:
        coming = _("Ja") if found.next_fee.charged else _("Nej")
        text = _("{value}. {coming} från {day}").format(value=text, coming=coming, day=found.next_fee.valid_from)
    return text


def _connection(head: OrganisationHead, found: OrganisationFacts) -> str:
    if head.above:
        return _("Underorganisation")
    if found.issuing:
        return _("Direktansluten, utgivande i området")
    if not found.party:
        return _("Området har ingen utgivande organisation än")
    return _("Tredjepartsansluten genom {name}").format(name=found.party)


def customisation_words(found: Customisation) -> str:
    """Returns the name of the card customisation that applies, and where it comes from."""
    if not found.name:
        return _("Ingen, kort kan inte beställas")
    whose = _("egen") if found.own else _("den generella") if found.generic else _("samma som organisationen ovanför")
    return _("{name} ({whose})").format(name=found.name, whose=whose)


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_new(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Creates an organisation in an area. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    demand(Action.CREATE_ORGANISATION in head.rights)
    has_issuer = areas.area_facts(actor=actor, area_id=area_id).issuing_organisation_id is not None
    extra_fields = frozenset({"charged"} if has_issuer else {"charged", "issuing"})
    catalogue = DirectoryCheck(request)
    form, made, status = submitted_form(
        request,
        partial(OrganisationForm, extra_fields=extra_fields, maker=actor),
        lambda given: create_organisation(
            actor=actor,
            area_id=area_id,
            issuing=given.get("issuing", False),
            charged=given["charged"] == "yes",
            catalogue=catalogue.check(OrganisationForm.data_of(given)),
            **vars(OrganisationForm.data_of(given)),
        ),
        first=lambda: {"country": "SE", "issuing": True, **_initial_from_previous(request, actor)},
    )
    if made is not None:
        created.add_message(request, _("Organisationen {name} är skapad."), made, reverse("organisation", args=[made.id]))
        return _redirect_after_creation(
            request, made, again=reverse("organisation_new", args=[area_id]), back=reverse("area", args=[area_id])
        )
    context = {
        **_form_context(request, form, catalogue, _("Skapa organisationen")),
        "cancel_url": reverse("area", args=[area_id]),
        "lead": _("En underorganisation skapar du i stället på sidan för organisationen ovanför."),
    }
    return area_page(request, _FORM, head, context, here="area", step=_("Skapa organisation"), status=status)


def _initial_from_previous(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """Returns initial values from the previously created organisation, which the URL names. Raises NotFound, Forbidden."""
    before = id_of(request.GET.get(_BEFORE, ""))
    if before is None:
        return {}
    found = organisations.organisation_facts(actor=actor, organisation_id=before)
    kept: dict[str, Any] = {"country": found.country, "county": found.county, "same_articles": readiness.has_articles(before)}
    kept["customisation"] = OrganisationForm.as_typed("customisation_id", found.customisation_id)
    if found.charged is not None:
        kept["charged"] = "yes" if found.charged else "no"
    return kept


def _redirect_after_creation(request: HttpRequest, made: Organisation, *, again: str, back: str) -> HttpResponse:
    """Redirects to the page that opened the form, or to `again` if the user adds another."""
    return redirect(f"{again}?{_BEFORE}={made.id}" if wants_another(request) else back)


def _form_context(request: HttpRequest, form: OrganisationForm, catalogue: DirectoryCheck, submit: str) -> dict[str, Any]:
    """Returns the context that forms of new organisations share."""
    following = _BEFORE in request.GET
    return {
        "form": at_first_field(form),
        "submit": submit,
        "another": True,
        "catalogue": catalogue.to_read,
        "cancel": _("Klar") if following else "",
    }


@require_http_methods(["GET", "HEAD", "POST"])
def sub_organisation_new(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Creates an organisation below another. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, Action.CREATE_SUB_ORGANISATION in head.rights)
    above = organisations.organisation_facts(actor=actor, organisation_id=organisation_id)
    extra_fields = frozenset({"customisation"} if organisations.generic_exists() else ())
    if Action.CHOOSE_ARTICLES in head.rights and readiness.has_articles(organisation_id):
        extra_fields |= {"same_articles"}
    like_parent = {"country": above.country, "county": above.county, "customisation": "above", "same_articles": True}
    number = organisation_number(above.organisation_number)
    catalogue = DirectoryCheck(request)
    form, made, status = submitted_form(
        request,
        partial(OrganisationForm, extra_fields=extra_fields, above=head.name, maker=actor),
        lambda given: create_organisation(
            actor=actor,
            area_id=head.area.id,
            parent_id=organisation_id,
            generic_customisation=given.get("customisation") == "generic",
            same_articles=given.get("same_articles", False),
            catalogue=catalogue.check(OrganisationForm.data_of(given)),
            **vars(OrganisationForm.data_of(given)),
        ),
        first=lambda: {**like_parent, "organisation_number": number, **_initial_from_previous(request, actor)},
    )
    if made is not None:
        created.add_message(request, _("Underorganisationen {name} är skapad."), made, reverse("organisation", args=[made.id]))
        again, back = (reverse(name, args=[organisation_id]) for name in ("sub_organisation_new", "organisation"))
        return _redirect_after_creation(request, made, again=again, back=back)
    context = {
        **_form_context(request, form, catalogue, _("Skapa underorganisationen")),
        "cancel_url": reverse("organisation", args=[organisation_id]),
        "lead": _(
            "Skapa en underorganisation om en ID-administratör bara ska ha behörighet till en del av personerna, eller om korten "
            "ska ha en annan logotyp. Ska buntar med kort skickas till en annan adress räcker det med ett kontor."
        ),
    }
    step = _("Skapa underorganisation")
    return organisation_page(request, _FORM, head, context, here="organisation", step=step, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_edit(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Edits an organisation. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, head.may_change)
    found = organisations.organisation_facts(actor=actor, organisation_id=organisation_id)
    chooses = head.is_sub_organisation and not found.customisation.own
    extra_fields = frozenset({"customisation"} if chooses and organisations.generic_exists() else ())
    catalogue = DirectoryCheck(request)
    form, made, status = submitted_form(
        request,
        partial(OrganisationForm, extra_fields=extra_fields),
        lambda given: edit_organisation(
            actor=actor,
            organisation_id=organisation_id,
            version=given["version"],
            data=OrganisationForm.data_of(given),
            generic_customisation=_GENERIC.get(request.POST.get("customisation", "")),
            catalogue=catalogue.check(OrganisationForm.data_of(given), before=found),
        ),
        first=lambda: initial(OrganisationForm, found),
    )
    if status != HTTPStatus.OK and not extra_fields and request.POST.get("customisation") in _GENERIC:
        form.add_error(None, _("Kortanpassning kan inte längre väljas här. Valet sparades inte."))
    if made is not None:
        messages.success(request, _("Organisationen är sparad."))
        return redirect("organisation", organisation_id)
    cancel_url = reverse("organisation", args=[organisation_id])
    context = {"form": form, "submit": _("Spara"), "cancel_url": cancel_url, "catalogue": catalogue.to_read}
    step = _("Redigera uppgifter")
    return organisation_page(request, _FORM, head, context, here="organisation", step=step, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_fee(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Shows the dated values of the fee, and adds a new one. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, Action.CREATE_ORGANISATION in head.rights)
    form, made, status = submitted_form(
        request,
        FeeForm,
        lambda given: set_subscription_fee(
            actor=actor,
            organisation_id=organisation_id,
            charged=given["charged"] == "yes",
            valid_from=clock.start_of_day(given["valid_from"]),
            version=given["version"],
        ),
        first=lambda: {"valid_from": clock.today(), "version": fee_version(organisation_id)},
    )
    if made is not None:
        messages.success(request, _("Abonnemangsavgiften är bestämd."))
        return redirect("organisation_fee", organisation_id)
    context = {
        "head": head,
        "form": form,
        "submit": _("Spara"),
        "cancel_url": reverse("organisation", args=[organisation_id]),
        "fees": organisations.fees_of(organisation_id),
    }
    step = _("Abonnemangsavgift")
    return organisation_page(request, "articles/fee.html", head, context, here="organisation", step=step, status=status)
