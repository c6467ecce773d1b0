"""Pages of offices (rules/issuance 7.5): creating, editing, closing, and connecting with organisations from both sides."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from authn.web import kept_form
from issuance.administration.queries import readiness
from issuance.authz import Action, Actor
from issuance.offices import queries as offices
from issuance.offices.models import OrganisationOffice
from issuance.offices.queries import ConnectedLine, OfficeFacts, OfficeHead
from issuance.offices.services import (
    close_office,
    connect_offices,
    connect_organisations,
    create_office,
    disconnect_office,
    edit_office,
    reopen_office,
)
from issuance.offices.web.lists import (
    ConnectableOfficeList,
    ConnectableOrganisationList,
    ConnectedOfficeList,
    ConnectedOrganisationList,
    OfficeOrganisationList,
)
from issuance.offices.web.office_forms import LONGEST_COMMENT, OfficeForm
from issuance.offices.web.office_frame import office_page
from issuance.organisations.queries import areas, organisations, places
from issuance.records.web import created
from issuance.records.web.editing import at_first_field, initial, saved, wants_another
from issuance.records.web.frame import actor_of, demand
from issuance.records.web.history import TEMPLATE, HistoryList
from issuance.records.web.places import area_page, demand_there, organisation_page
from issuance.records.web.values import row
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.ids import ids_of
from siths_portal.lib.lists import Shown

_FORM = "offices/office_form.html"
_AFTER_ANOTHER = "fler"
"""The parameter that says that the user has just created another office."""


@require_safe
def office(request: HttpRequest, office_id: UUID) -> HttpResponseBase:
    """Shows an office, the organisations that may choose it, and its use. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = offices.office_head(actor=actor, office_id=office_id)
    connect_url = reverse("office_connect", args=[office_id]) if head.may_link and not head.closed else ""
    connected = OfficeOrganisationList(
        request, offices.organisations_of(actor=actor, office_id=office_id), office=head.name, connect_url=connect_url
    )
    return connected.answer(lambda shown: _office(request, actor, head, shown, connect_url))


def _office(
    request: HttpRequest, actor: Actor, head: OfficeHead, connected: Shown[ConnectedLine], connect_url: str
) -> HttpResponse:
    found = offices.office_facts(actor=actor, office_id=head.id)
    context = {
        "head": head,
        "lead": _lead(head, connected),
        "facts": _facts(head.area, found, areas.issuer_names(actor=actor, area_id=head.area.id)),
        "organisations": connected,
        "use": offices.use_of(actor=actor, office_id=head.id),
        "edit_url": reverse("office_edit", args=[head.id]) if head.may_edit else "",
        "reopen_url": reverse("office_reopen", args=[head.id]) if head.closed and head.may_edit else "",
        "disconnect_url": connect_url if any(each.may_disconnect for each in connected.lines) else "",
        "invoice_line": _Example(actor, head.area.id).of(found.invoice_comment),
    }
    return office_page(request, "offices/office.html", head, context, here="office")


def _lead(head: OfficeHead, connected: Shown[ConnectedLine]) -> str:
    """Returns the sentence about whether the office can be chosen in orders."""
    if head.closed:
        return _("Kontoret är stängt och kan inte väljas i nya beställningar.")
    if not connected.lines and not connected.first_url:
        return _("Ingen organisation är kopplad, så kontoret kan inte väljas i någon beställning.")
    return _("Kontoret är öppet och kan väljas i beställningar.")


def _facts(area: places.Above, found: OfficeFacts, issuers: Sequence[str]) -> list[dict[str, Any]]:
    rows = [
        row(_("Utgivningsområde"), area.name, url=reverse("area", args=[area.id]) if area.seen else "", action=_("Visa")),
        row(_("Utgivande organisation"), found.issuing_organisation),
        row(_("Ansvarig utgivare"), ", ".join(issuers)),
        row(_("Fakturareferens"), found.invoice_reference),
        row(_("Fakturakommentar"), found.invoice_comment),
        row(_("Kontorsid"), found.office_number, copy=True),
        row(_("Leveransadress"), ", ".join(found.address)),
    ]
    if found.closed_on:
        rows.append(row(_("Stängt"), str(found.closed_on)))
    return rows


def invoice_line(number: str, comment: str) -> str:
    """Returns the invoice line of a card with this article number, ordered through an office with this comment."""
    return f"{number}, {comment}"


@require_http_methods(["GET", "HEAD", "POST"])
def office_new(request: HttpRequest, area_id: UUID) -> HttpResponse:
    """Creates an office in an area, connected to organisations there. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.area_head(actor=actor, area_id=area_id)
    demand(Action.EDIT_OFFICE in head.rights)
    line = _Example(actor, area_id)
    if _requests_line_only(request):
        return _line_response(request, line)
    found = areas.area_facts(actor=actor, area_id=area_id)
    opened_from = ids_of([request.GET.get("organisation", "")])
    back = reverse("organisation", args=opened_from) if opened_from else reverse("area", args=[area_id])
    selected_ids = _picked(request, "organisation") or opened_from
    choices = offices.choices_for_new_office(actor=actor, area_id=area_id, selected_ids=selected_ids)
    make = partial(OfficeForm, organisations=choices)
    form, made, status = _answered(
        request,
        make,
        lambda given: create_office(actor=actor, area_id=area_id, **_new(given)),
    )
    if made is not None:
        connected = _connected(len(_picked(request, "organisation")), any_there=bool(choices.tops))
        created.add_message(request, _("Kontoret {name} är skapat."), made, reverse("office", args=[made.id]), connected)
        return redirect(f"{request.path}?{_AFTER_ANOTHER}=1" if wants_another(request) else back)
    form = form or make(initial={"organisation": [str(pk) for pk in selected_ids]} if selected_ids else {})
    following = _AFTER_ANOTHER in request.GET
    context = {
        **_form_context(request, form if "visa" in request.POST else at_first_field(form), line, back, _("Skapa kontoret")),
        "another": True,
        "cancel": _("Klar") if following else "",
        "none_to_connect": not choices.tops,
        "facts": [each for each in _area_facts(found) if each["value"]],
    }
    return area_page(request, _FORM, head, context, here="area", step=_("Skapa kontor"), status=status)


def _area_facts(found: areas.AreaFacts) -> list[dict[str, Any]]:
    return [
        row(_("Namn på utgivningsområde"), found.name),
        row(_("Utgivande organisation"), found.issuing_organisation),
        row(_("Ansvarig utgivare"), ", ".join(one.name for one in found.responsible_issuers)),
        row(_("Fakturareferens"), found.invoice_reference),
    ]


def _new(given: dict[str, Any]) -> dict[str, Any]:
    return {**vars(OfficeForm.data_of(given)), "organisation_ids": [UUID(pk) for pk in given["organisation"]]}


def _connected(count: int, *, any_there: bool) -> str:
    """Returns the sentence about a new office's connections. `any_there` is True if there was an organisation to choose."""
    if not any_there:
        return _("Kontoret är inte kopplat till någon organisation. Koppla det på kontorets sida när organisationerna finns.")
    if not count:
        return _("Koppla kontoret nu till de organisationer som ska kunna välja det.")
    text = ngettext("Kontoret är kopplat till {n} organisation.", "Kontoret är kopplat till {n} organisationer.", count)
    return text.format(n=count)


@require_http_methods(["GET", "HEAD", "POST"])
def office_edit(request: HttpRequest, office_id: UUID) -> HttpResponse:
    """Edits an office. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = offices.office_head(actor=actor, office_id=office_id)
    demand(head.may_edit)
    line = _Example(actor, head.area.id)
    if _requests_line_only(request):
        return _line_response(request, line)
    form, made, status = _answered(
        request,
        OfficeForm,
        lambda given: edit_office(actor=actor, office_id=office_id, version=given["version"], data=OfficeForm.data_of(given)),
    )
    if made is not None:
        messages.success(request, _("Kontoret är sparat."))
        return redirect("office", office_id)
    form = form or OfficeForm(initial=initial(OfficeForm, offices.office_facts(actor=actor, office_id=office_id)))
    context = _form_context(request, form, line, reverse("office", args=[office_id]), _("Spara"))
    return office_page(request, _FORM, head, context, here="office", step=_("Redigera kontoret"), status=status)


def _answered[T](
    request: HttpRequest, make: Callable[..., OfficeForm], act: Callable[[dict[str, Any]], T]
) -> tuple[OfficeForm | None, T | None, int]:
    """Returns the submitted form (None for GET), the result of `act`, and the HTTP status.

    If the user only asked to see the invoice line, `act` is not called.
    """
    if request.method != "POST":
        return None, None, 200
    form = make(request.POST)
    if "visa" in request.POST:
        typed: dict[str, Any] = {name: request.POST.get(name, "") for name in form.fields}
        return make(initial={**typed, "organisation": request.POST.getlist("organisation")}), None, 200
    made, status = saved(form, actor_of(request), act)
    return form, made, status


@dataclass(frozen=True)
class _Example:
    """An example invoice line of an area. Its article is read only when needed."""

    actor: Actor
    area_id: UUID

    def of(self, comment: object) -> str:
        """Returns the line for a comment as typed; empty without a comment, or if it is too long for an invoice."""
        words = " ".join(str(comment or "").split())
        if not 0 < len(words) <= LONGEST_COMMENT:
            return ""
        number = offices.example_article(actor=self.actor, area_id=self.area_id)
        return invoice_line(number or _("Artikelns nummer"), words)


def _requests_line_only(request: HttpRequest) -> bool:
    """True if the form's script requests only the invoice line, which changes nothing."""
    return request.method == "POST" and "visa" in request.POST and "HX-Request" in request.headers


def _line_response(request: HttpRequest, line: _Example) -> HttpResponse:
    context = {"invoice_line": line.of(request.POST.get("invoice_comment")), "line_asked": True}
    return render(request, "offices/invoice_line.html", context)


def _form_context(request: HttpRequest, form: OfficeForm, line: _Example, cancel_url: str, submit: str) -> dict[str, Any]:
    """Returns the context of the form's page.

    If the user asked for the line without a comment, the comment field gets the focus.
    """
    shown, line_requested = line.of(form["invoice_comment"].value()), "visa" in request.POST
    if line_requested and not shown:
        form.fields["invoice_comment"].widget.attrs["autofocus"] = True
    return {"form": form, "cancel_url": cancel_url, "submit": submit, "invoice_line": shown, "line_asked": line_requested}


@require_safe
def office_history(request: HttpRequest, office_id: UUID) -> HttpResponseBase:
    """Shows the history of an office. Raises NotFound, Forbidden."""
    head = offices.office_head(actor=actor_of(request), office_id=office_id)
    return HistoryList(request, "office", office_id).page(
        lambda context, status: office_page(request, TEMPLATE, head, context, here="office_history", status=status)
    )


@require_http_methods(["GET", "HEAD", "POST"])
def office_close(request: HttpRequest, office_id: UUID) -> HttpResponse:
    """Closes an office after showing its use. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = offices.office_head(actor=actor, office_id=office_id)
    demand(head.may_edit)
    if request.method == "POST":
        close_office(actor=actor, office_id=office_id)
        messages.success(request, _("Kontoret är stängt."))
        return redirect("office", office_id)
    connected = ConnectedOrganisationList(request, offices.organisations_of(actor=actor, office_id=office_id)).shown()
    context = {
        "head": head,
        "lead": _("Vill du stänga kontoret {name}?").format(name=head.name),
        "use": offices.use_of(actor=actor, office_id=office_id),
        "organisations": connected,
        "left_without": None if head.closed else offices.left_without(actor=actor, office_id=office_id),
        "cancel_url": reverse("office", args=[office_id]),
    }
    return office_page(request, "offices/office_close.html", head, context, here="office", step=_("Stäng kontoret"))


@require_POST
def office_reopen(request: HttpRequest, office_id: UUID) -> HttpResponse:
    """Reopens a closed office. Raises NotFound, Forbidden."""
    try:
        reopen_office(actor=actor_of(request), office_id=office_id)
    except Conflict as error:
        messages.error(request, error.message)
    else:
        messages.success(request, _("Kontoret är öppet igen."))
    return redirect("office", office_id)


@require_http_methods(["GET", "HEAD", "POST"])
def office_connect(request: HttpRequest, office_id: UUID) -> HttpResponse:
    """Koppla organisation: connects organisations to the office, or disconnects one. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = offices.office_head(actor=actor, office_id=office_id)
    demand(head.may_link)
    refusal, status = "", 200
    if request.method == "POST":
        if ended := ids_of([request.POST.get("koppla_bort", "")]):
            link = disconnect_office(actor=actor, organisation_id=ended[0], office_id=office_id)
            _confirm_disconnected(request, link, ended[0])
            return redirect("office", office_id)
        refusal, status = _act(
            lambda: connect_organisations(actor=actor, office_id=office_id, organisation_ids=_picked(request, "organisation"))
        )
        if not refusal:
            messages.success(request, _("Organisationerna är kopplade."))
            return redirect("office", office_id)
    office_url = reverse("office", args=[office_id])
    choices = ConnectableOrganisationList(
        request,
        offices.connectable_organisations(actor=actor, office_id=office_id),
        picked=(kept_form(request) or request.POST).getlist("organisation"),
        office_url=office_url,
    )
    context = {
        "head": head,
        "lead": _("Markera de organisationer som ska kunna välja kontoret."),
        "choices": choices.shown(),
        "refusal": refusal,
        "cancel_url": office_url,
    }
    step = _("Koppla organisation")
    return office_page(request, "offices/office_connect.html", head, context, here="office", step=step, status=status)


@require_http_methods(["GET", "HEAD", "POST"])
def organisation_offices(request: HttpRequest, organisation_id: UUID) -> HttpResponse:
    """Koppla kontor: the offices that an organisation may choose. Raises NotFound, Forbidden."""
    actor = actor_of(request)
    head = places.organisation_head(actor=actor, organisation_id=organisation_id)
    demand_there(head, Action.LINK_OFFICE in head.rights)
    refusal, status = "", 200
    if request.method == "POST":
        refusal, status = _change(request, actor, organisation_id)
        if not refusal:
            return redirect("organisation_offices", organisation_id)
    connected = ConnectedOfficeList(request, organisations.connected_offices(actor=actor, organisation_id=organisation_id))
    new_url = f"{reverse('office_new', args=[head.area.id])}?organisation={head.id}"
    choices = ConnectableOfficeList(
        request,
        offices.connectable_offices(organisation_id=organisation_id, area_id=head.area.id),
        picked=(kept_form(request) or request.POST).getlist("office"),
        new_url=new_url if Action.EDIT_OFFICE in head.rights else "",
    )
    context = {
        "head": head,
        "offices": connected.shown(),
        "choices": choices.shown(),
        "refusal": refusal,
        "cancel_url": reverse("organisation", args=[organisation_id]),
    }
    template, step = "offices/organisation_offices.html", _("Koppla kontor")
    return organisation_page(request, template, head, context, here="organisation", step=step, status=status)


def _change(request: HttpRequest, actor: Actor, organisation_id: UUID) -> tuple[str, int]:
    """Connects or disconnects the submitted offices. Returns the error message, empty on success, and the HTTP status."""
    if ended := ids_of([request.POST.get("koppla_bort", "")]):
        link = disconnect_office(actor=actor, organisation_id=organisation_id, office_id=ended[0])
        _confirm_disconnected(request, link, organisation_id)
        return "", 200
    wanted = _picked(request, "office")
    refusal, status = _act(lambda: connect_offices(actor=actor, organisation_id=organisation_id, office_ids=wanted))
    if not refusal:
        text = ngettext("Kontoret är kopplat.", "Kontoren är kopplade.", len(wanted))
        messages.success(request, text)
    return refusal, status


def _confirm_disconnected(request: HttpRequest, link: OrganisationOffice | None, organisation_id: UUID) -> None:
    """Adds a message about the disconnection, with a warning if the organisation has no open office left."""
    done = _("Kopplingen fanns inte längre.")
    if link:
        names = {"organisation": link.organisation.name, "office": link.office.name}
        done = _("%(organisation)s är bortkopplad från %(office)s.") % names
    if readiness.has_offices(organisation_id):
        messages.success(request, done)
        return
    stops = _("Organisationen har inget öppet kontor kvar, så inga kort kan beställas i den förrän ett annat är kopplat.")
    messages.warning(request, f"{done} {stops}")


def _act(act: Callable[[], object]) -> tuple[str, int]:
    """Returns the error message of an act, empty on success, and the HTTP status."""
    try:
        act()
    except (Invalid, Conflict) as error:
        return error.message, error.http_status
    return "", 200


def _picked(request: HttpRequest, field: str) -> list[UUID]:
    return ids_of(request.POST.getlist(field))
