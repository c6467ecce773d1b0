"""The frames of an area's and an organisation's pages: their tabs, functions and configuration, by right.

A page of another room is one entry here: the tab, or the function with the right that it needs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from issuance.authz import Action
from issuance.offices.queries import OfficeHead
from issuance.organisations.queries.places import AreaHead, OrganisationHead
from issuance.records.web.administration_frame import Crumb, Link, Tab, page, way_to_area, way_to_organisation


@dataclass(frozen=True)
class Entry:
    """A function on a place for those with `right` there: the name of its address, and what it is called."""

    url_name: str
    text: Promise
    right: Action


AREA_TABS: tuple[tuple[str, Promise], ...] = (
    ("area", _("Uppgifter")),
    ("area_tree", _("Organisationsträd")),
    ("area_history", _("Historik")),
)
AREA_FUNCTIONS: tuple[Entry, ...] = (Entry("area_extended_searches", _("Utökade sökningar"), Action.ASSIGN_ROLE),)
AREA_CONFIGURATION: tuple[Entry, ...] = (
    Entry("area_edit", _("Redigera utgivningsområdet"), Action.CREATE_ORGANISATION),
    Entry("organisation_new", _("Skapa organisation"), Action.CREATE_ORGANISATION),
    Entry("area_issuer_add", _("Utse ansvarig utgivare"), Action.CREATE_ORGANISATION),  # who makes areas appoints their issuers
    Entry("office_new", _("Skapa kontor"), Action.EDIT_OFFICE),
    Entry("area_articles", _("Välj artiklar för flera organisationer"), Action.CHOOSE_ARTICLES),
)
ORGANISATION_TABS: tuple[tuple[str, Promise], ...] = (
    ("organisation", _("Uppgifter")),
    ("organisation_customisation", _("Kortanpassning")),
    ("organisation_receipt_texts", _("Kvittenstext")),
    ("organisation_holders", _("Innehavare")),
    ("organisation_history", _("Historik")),
)
"""The names of addresses that take the id alone, and what the tabs are called; history comes last."""

OFFICE_TABS: tuple[tuple[str, Promise], ...] = (
    ("office", _("Uppgifter")),
    ("office_history", _("Historik")),
)
ORGANISATION_CONFIGURATION: tuple[Entry, ...] = (
    Entry("sub_organisation_new", _("Skapa underorganisation"), Action.CREATE_SUB_ORGANISATION),
    Entry("organisation_offices", _("Koppla kontor"), Action.LINK_OFFICE),
    Entry("organisation_receipt_text", _("Redigera kvittenstext"), Action.EDIT_RECEIPT_TEXT),
    Entry("organisation_articles", _("Administrera artiklar"), Action.CHOOSE_ARTICLES),
)
_ADMINISTRATION_ALONE = _("Förvaltningen ändrar och flyttar den här organisationen.")


def area_page(
    request: HttpRequest,
    template: str,
    head: AreaHead,
    context: Mapping[str, Any] | None = None,
    *,
    here: str,
    step: str = "",
    configuration: Iterable[Link] = (),
    status: int = 200,
) -> HttpResponse:
    """A page on an area: a tab, or with `step` a page below it. `here` is the name of its address; `configuration` the page's own
    beside that of all areas."""
    return page(
        request,
        template,
        context,
        heading=step or head.name,
        kind=_kind(_("Utgivningsområde"), head.name if step else ""),
        crumbs=[*way_to_area(head), *([Crumb(step)] if step else [])],
        tabs=[] if step else _tabs(AREA_TABS, head.id, here),
        functions=[] if step else [*_roles(head), *_links(AREA_FUNCTIONS, head), *_files(head)],
        configuration=[] if step else [*_links(AREA_CONFIGURATION, head), *configuration],
        status=status,
    )


def training_url(head: AreaHead) -> str:
    """Where training is recorded of the area's role holders."""
    return f"{reverse('holders_training')}?omrade={head.id}"


def _roles(head: AreaHead) -> Iterator[Link]:
    """The ways to give roles and to record training, the first off for those whose own roles are above an area's (ADR 0188)."""
    if Action.ASSIGN_ROLE in head.rights:
        reason = "" if head.gives_roles else str(_("Områdets ansvariga utgivare ger rollerna i organisationerna."))
        yield Link(str(_("Lägg till roller")), reverse("area_role_add", args=[head.id]), not reason, reason)
        yield Link(str(_("Registrera utbildning och personkontroll")), training_url(head))


def _files(head: AreaHead) -> Iterator[Link]:
    if Action.LINK_OFFICE in head.rights:
        yield Link(str(_("Importera från fil")), reverse("setup_import"))
    yield Link(str(_("Exportera till Excel")), reverse("area_export_xlsx", args=[head.id]))


def organisation_page(
    request: HttpRequest,
    template: str,
    head: OrganisationHead,
    context: Mapping[str, Any] | None = None,
    *,
    here: str,
    step: str = "",
    status: int = 200,
) -> HttpResponse:
    """A page on an organisation: a tab, or with `step` a page below it. `here` is the name of its address."""
    kind = _("Underorganisation") if head.is_sub_organisation else _("Organisation")
    if head.ended:
        kind = _("Avslutad organisation")
    return page(
        request,
        template,
        context,
        heading=step or head.name,
        kind=_kind(kind, head.name if step else ""),
        crumbs=[*way_to_organisation(head), *([Crumb(step)] if step else [])],
        tabs=[] if step else _tabs(ORGANISATION_TABS, head.id, here),
        functions=[] if step else _roles_there(head),
        configuration=[] if step else [*_links(ORGANISATION_CONFIGURATION, head), *_changing(head)],
        status=status,
    )


def _roles_there(head: OrganisationHead) -> Iterator[Link]:
    """The way to the organisation's roles, for those who give roles: there, or above an area's, who only look (ADR 0188)."""
    if Action.ASSIGN_ROLE in head.rights:
        text = _("Redigera roller") if head.gives_roles else _("Visa roller")
        yield Link(str(text), reverse("organisation_roles", args=[head.id]))


def office_page(
    request: HttpRequest,
    template: str,
    head: OfficeHead,
    context: Mapping[str, Any] | None = None,
    *,
    here: str,
    step: str = "",
    status: int = 200,
) -> HttpResponse:
    """A page on an office: a tab, or with `step` a page below it. `here` is the name of its address."""
    way = [*way_to_area(head.area), Crumb(str(_("Kontor"))), Crumb(head.name, reverse("office", args=[head.id]))]
    return page(
        request,
        template,
        context,
        heading=step or head.name,
        kind=_kind(_("Kontor"), head.name if step else ""),
        crumbs=[*way, *([Crumb(step)] if step else [])],
        tabs=[] if step else _tabs(OFFICE_TABS, head.id, here),
        functions=[] if step else _of_office(head),
        configuration=[],
        status=status,
    )


def _of_office(head: OfficeHead) -> Iterator[Link]:
    if head.may_link:
        reason = str(_("Kontoret är stängt.")) if head.closed else ""
        yield Link(str(_("Koppla organisation")), reverse("office_connect", args=[head.id]), not reason, reason)
    if head.may_edit and not head.closed:
        yield Link(str(_("Stäng kontoret")), reverse("office_close", args=[head.id]))


def may_change(head: OrganisationHead) -> bool:
    """Whether the actor may edit the organisation and move it: those who may make one there (domain.md 1.2)."""
    return (Action.CREATE_SUB_ORGANISATION if head.is_sub_organisation else Action.CREATE_ORGANISATION) in head.rights


def _changing(head: OrganisationHead) -> Iterator[Link]:
    if Action.CREATE_SUB_ORGANISATION not in head.rights:
        return
    reason = "" if may_change(head) else str(_ADMINISTRATION_ALONE)
    for name, text in (("organisation_edit", _("Redigera uppgifter")), ("organisation_move", _("Flytta organisationen"))):
        yield Link(str(text), reverse(name, args=[head.id]), not reason, reason)
    if Action.CREATE_ORGANISATION in head.rights and not head.is_sub_organisation:
        yield Link(str(_("Ändra abonnemangsavgift")), reverse("organisation_fee", args=[head.id]))
    if not reason:
        yield Link(str(_("Avsluta organisationen")), reverse("organisation_end", args=[head.id]))


def _kind(kind: Promise, name: str) -> str:
    """What stands above a heading: of a page below a place also its name, since places of several kinds may bear the same."""
    return f"{kind} {name}" if name else str(kind)


def _tabs(entries: Sequence[tuple[str, Promise]], pk: Any, here: str) -> list[Tab]:
    return [Tab(str(text), reverse(name, args=[pk]), name == here) for name, text in entries]


def _links(entries: Sequence[Entry], head: AreaHead | OrganisationHead) -> list[Link]:
    return [Link(str(entry.text), reverse(entry.url_name, args=[head.id])) for entry in entries if entry.right in head.rights]
