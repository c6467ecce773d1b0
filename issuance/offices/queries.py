"""One office: its data, the organisations that may choose it, and its use (rules/issuance 7.5)."""

import datetime as dt
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import BooleanField, Exists, ExpressionWrapper, OuterRef, Q

from issuance.administration.queries.change_words import organisation_number
from issuance.articles.models import Article, OrganisationArticle
from issuance.articles.queries.articles import Choice
from issuance.authz import Action, Actor, policy
from issuance.offices.models import Office, OrganisationOffice
from issuance.orders.domain.order_states import UNDER_WAY
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import order_checks
from issuance.organisations.models import Organisation
from issuance.organisations.queries.areas import OfficeLine, office_line
from issuance.organisations.queries.nesting import nested
from issuance.organisations.queries.places import Above, is_seen
from issuance.records.domain import wording
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class OfficeHead:
    """An office for the head of its pages, with the actor's rights there."""

    id: UUID
    name: str
    area: Above
    closed: bool
    may_edit: bool
    may_link: bool
    may_keep_stock: bool


@dataclass(frozen=True)
class OfficeFacts:
    """The data of an office."""

    version: int
    name: str
    office_number: str
    invoice_comment: str
    recipient_organisation: str
    internal_recipient: str
    street_address: str
    postal_code: str
    city: str
    closed_on: dt.date | None
    issuing_organisation: str
    invoice_reference: str

    @property
    def address(self) -> tuple[str, ...]:
        """The lines of the delivery address; empty for an office that receives no bundles."""
        if not self.street_address:
            return ()
        lines = (self.recipient_organisation, self.internal_recipient, self.street_address, f"{self.postal_code} {self.city}")
        return tuple(line for line in lines if line.strip())


@dataclass(frozen=True)
class OfficeUse:
    """The use of an office, as far as the actor sees it: open orders, drafts that chose it, and the day of its last order."""

    under_way: int
    drafts: int
    last_ordered: dt.date | None


@dataclass(frozen=True)
class ConnectedLine:
    """An organisation that may choose the office, or to which it can be connected. `may_disconnect` is the actor's right."""

    id: UUID
    name: str
    organisation_number: str
    hsa_id: str
    may_disconnect: bool = False


@dataclass(frozen=True)
class LeftWithout:
    """Organisations without an open office: the first names, and how many `more` there are."""

    names: tuple[str, ...]
    more: int


MOST_CHOICES = 20
"""The maximum number of organisations in the form of a new office, and on the page that closes an office.

Others are connected on the office's own page.
"""


@dataclass
class OrganisationChoice:
    """An organisation to which a new office may be connected. `number` is its position in the list, from 0."""

    id: UUID
    name: str
    hsa_id: str
    number: int = 0
    children: list["OrganisationChoice"] = field(default_factory=list)


@dataclass(frozen=True)
class OrganisationChoices:
    """Organisations as a tree, or as a flat list by name if there are `more` than are listed."""

    tops: tuple[OrganisationChoice, ...] = ()
    more: bool = False

    @property
    def all(self) -> list[OrganisationChoice]:
        """All organisations in the order of the tree."""
        return list(_flat(self.tops))


def office_head(*, actor: Actor, office_id: UUID | str) -> OfficeHead:
    """Returns the head of an office that the actor sees. Raises NotFound, Forbidden."""
    rows = Office.objects.with_rights(actor, (Action.EDIT_OFFICE, Action.KEEP_STOCK)).select_related("area")
    row = policy.get(actor, Action.VIEW_CONFIGURATION, rows, office_id)
    return OfficeHead(
        id=row.id,
        name=row.name,
        area=Above(row.area_id, row.area.name, is_seen(actor, row.area.scope_path)),
        closed=row.closed_at is not None,
        may_edit=row.may_edit_office,  # type: ignore[attr-defined]
        may_link=policy.holds(actor, Action.LINK_OFFICE),
        may_keep_stock=row.may_keep_stock,  # type: ignore[attr-defined]
    )


def office_facts(*, actor: Actor, office_id: UUID) -> OfficeFacts:
    """Returns the data of an office that the actor sees. Raises NotFound, Forbidden."""
    rows = Office.objects.select_related("area__issuing_organisation")
    row = policy.get(actor, Action.VIEW_CONFIGURATION, rows, office_id)
    issuer = row.area.issuing_organisation
    return OfficeFacts(
        version=row.version,
        name=row.name,
        office_number=row.office_number,
        invoice_comment=row.invoice_comment,
        recipient_organisation=row.recipient_organisation,
        internal_recipient=row.internal_recipient,
        street_address=row.street_address,
        postal_code=row.postal_code,
        city=row.city,
        closed_on=wording.day(row.closed_at) if row.closed_at else None,
        issuing_organisation=issuer.name if issuer else "",
        invoice_reference=row.area.invoice_reference,
    )


def use_of(*, actor: Actor, office_id: UUID) -> OfficeUse:
    """Returns the use of an office. Orders and drafts for persons whom the actor does not see are not counted (S13)."""
    orders = CardOrder.objects.visible_to(actor, Action.VIEW).filter(office=office_id)
    under_way = orders.filter(state__in=UNDER_WAY).count()
    last = orders.order_by("-ordered_at").values_list("ordered_at", flat=True).first()
    seen = Organisation.objects.visible_to(actor, Action.VIEW).values("pk")
    drafts = OrderDraft.objects.filter(office=office_id, state="open", post__organisation__in=seen, person__is_protected=False)
    return OfficeUse(under_way, drafts.count(), wording.day(last) if last else None)


def organisations_of(*, actor: Actor, office_id: UUID) -> Rows[Organisation, ConnectedLine]:
    """Returns the organisations that may choose an office, as far as the actor sees them."""
    connected = OrganisationOffice.objects.filter(office=office_id).values("organisation")
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(pk__in=connected)
    allowed = Organisation.objects.visible_to(actor, Action.LINK_OFFICE).filter(pk=OuterRef("pk"))
    return Rows(
        rows.annotate(linked=Exists(allowed)),
        lambda found: [_line(row, may_disconnect=row.linked) for row in found],  # type: ignore[attr-defined]
    )


def left_without(*, actor: Actor, office_id: UUID) -> LeftWithout:
    """Returns the open organisations that would have no open office if this one closed, by name, if the actor sees them."""
    connected = OrganisationOffice.objects.filter(office=office_id).values("organisation")
    others = order_checks.open_connections().filter(organisation=OuterRef("pk")).exclude(office=office_id)
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(~Exists(others), pk__in=connected)
    found = rows.filter(closed_at=None).order_by("name", "pk")
    names = tuple(found.values_list("name", flat=True)[: MOST_CHOICES + 1])
    more = found.count() - MOST_CHOICES if len(names) > MOST_CHOICES else 0
    return LeftWithout(names[:MOST_CHOICES], more)


def connectable_organisations(*, actor: Actor, office_id: UUID) -> Rows[Organisation, ConnectedLine]:
    """Returns the organisations of the office's area that the actor may connect and that are not connected."""
    connected = OrganisationOffice.objects.filter(office=office_id).values("organisation")
    area = Office.objects.filter(pk=office_id).values("area")
    rows = Organisation.objects.visible_to(actor, Action.LINK_OFFICE).filter(area__in=area).exclude(pk__in=connected)
    return Rows(rows, lambda found: [_line(row) for row in found])


def choices_for_new_office(*, actor: Actor, area_id: UUID, selected_ids: Collection[UUID] = ()) -> OrganisationChoices:
    """Returns the organisations of an area that the actor may connect to a new office there. At most two queries.

    Returns at most `MOST_CHOICES` by name, and in addition those in `wanted`, which come first.
    """
    rows = Organisation.objects.visible_to(actor, Action.LINK_OFFICE).filter(area=area_id).order_by("name", "pk")
    listed = list(rows[: MOST_CHOICES + 1])
    if len(listed) <= MOST_CHOICES:
        return _numbered(nested((row.scope_path, _choice(row)) for row in listed), more=False)
    del listed[MOST_CHOICES:]
    missing = set(selected_ids) - {row.pk for row in listed}
    first = rows.filter(pk__in=missing)[:MOST_CHOICES] if missing else ()
    return _numbered([_choice(row) for row in (*first, *listed)], more=True)


def example_article(*, actor: Actor, area_id: UUID) -> str:
    """Returns the number of an article sold today, as an example for an invoice line; empty if nothing is sold. One query.

    Articles that organisations of the area, as far as the actor sees them, may order come first, and among those the articles of
    ordinary cards.
    """
    seen = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id)
    ticked = OrganisationArticle.objects.filter(article=OuterRef("pk"), orderable=True, organisation__in=seen.values("pk"))
    rows = Article.objects.filter(Choice(state="active").condition, registered_mail=False)
    usual = ExpressionWrapper(Q(kind="ordinary"), output_field=BooleanField())
    rows = rows.annotate(ticked=Exists(ticked), usual=usual).order_by("-ticked", "-usual", "number", "code")
    return rows.values_list("number", flat=True).first() or ""


def _choice(row: Organisation) -> OrganisationChoice:
    return OrganisationChoice(row.id, row.name, row.hsa_id)


def _numbered(tops: list[OrganisationChoice], *, more: bool) -> OrganisationChoices:
    found = OrganisationChoices(tuple(tops), more)
    for number, choice in enumerate(found.all):
        choice.number = number
    return found


def _flat(choices: Iterable[OrganisationChoice]) -> Iterator[OrganisationChoice]:
    for choice in choices:
        yield choice
        yield from _flat(choice.children)


def reached_offices(actor: Actor, right: Action) -> list[tuple[str, str]]:
    """Returns the offices that organisations may choose where the actor has the right, as choices of a form: ids and names."""
    reached = Organisation.objects.visible_to(actor, right)
    connected = OrganisationOffice.objects.filter(office=OuterRef("pk"), organisation__in=reached)
    rows = Office.objects.filter(Exists(connected)).order_by("name", "pk")
    return [(str(pk), name) for pk, name in rows.values_list("pk", "name")]


def connectable_offices(*, organisation_id: UUID, area_id: UUID) -> Rows[Office, OfficeLine]:
    """Returns the open offices of an area to which an organisation in it is not connected.

    Actors who connect offices see all of these, even if their scope does not cover the whole area (ADR 0183).
    """
    connected = OrganisationOffice.objects.filter(organisation=organisation_id).values("office")
    rows = Office.objects.filter(area=area_id, closed_at=None).exclude(pk__in=connected)
    return Rows(rows, lambda found: [office_line(row) for row in found])


def _line(row: Organisation, *, may_disconnect: bool = False) -> ConnectedLine:
    number = organisation_number(row.organisation_number)
    return ConnectedLine(row.id, row.name, number, row.hsa_id, may_disconnect)
