"""Rows of work as pages show them: the overview, the numbers of a list, its views and its lines. All within the actor's scope."""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet

from issuance.authz import Actor
from issuance.notices.models import MailState
from issuance.orders.models.orders import CardOrder
from issuance.people.models.persons import PersonIdentifier
from issuance.people.queries import officers
from issuance.people.services.people import PREFERENCE
from issuance.records.domain import wording
from issuance.register_care.domain import kinds
from issuance.register_care.domain.kinds import WorkKind
from issuance.register_care.domain.states import WorkState
from issuance.register_care.models import CardReminder, CareRun, WorkItem
from issuance.register_care.services import deciding, reminding
from siths_portal.lib import clock

WEEK, MONTH = 7, 30
"""The days within which a row is due soon, and later."""


class View(StrEnum):
    """A saved selection of a list. URLs contain its value, so it is Swedish."""

    ALL = "alla"
    WEEK = "veckan"
    UNREMINDED = "inte-paminda"
    OFFICE = "kontor"
    MINE = "mina"
    POSTPONED = "uppskjutna"
    DONE = "avslutade"


_STATES = {View.POSTPONED: WorkState.POSTPONED, View.DONE: WorkState.DONE}


@dataclass(frozen=True)
class KindFigures:
    """The open rows of a kind, those of them that are due within a week, and the first due day."""

    kind: WorkKind
    total: int
    week: int
    first: dt.date | None

    @property
    def late(self) -> bool:
        """True if a row is due today or earlier."""
        return self.first is not None and self.first <= clock.today()


@dataclass(frozen=True)
class WorkFigures:
    """The numbers of a kind's views, and the open rows that are due within a month."""

    views: dict[View, int]
    month: int

    @property
    def total(self) -> int:
        """The open rows."""
        return self.views[View.ALL]

    @property
    def week(self) -> int:
        """The open rows that are due within a week."""
        return self.views[View.WEEK]


@dataclass(frozen=True)
class WorkLine:
    """A row as a list shows it. `name` is the person's, or the organisation's where no person is concerned; `number` the person
    id, which no list shows of a protected person. `last` has the last digits of a card. `reminded` says in words how often its
    holder was reminded, or why not. `settled` is True if its card is in a state in which nothing is left to do.
    """

    id: UUID
    kind: WorkKind
    ids: dict[str, UUID | None]
    name: str
    number: str
    organisation: str
    office: str
    last: str
    sent_on: dt.date | None
    due: dt.date
    facts: dict[str, Any]
    reminders: int
    reachable: bool
    protected: bool
    settled: bool
    responsible: str
    reason: str
    until: dt.date | None

    @property
    def days_left(self) -> int:
        """The full days until the due day, negative after it."""
        return (self.due - clock.today()).days


def overview(*, actor: Actor) -> list[KindFigures]:
    """Returns the numbers of every kind, in the order of the overview. One query."""
    soon = clock.today() + dt.timedelta(days=WEEK)
    rows = deciding.kept_by(actor).filter(state=WorkState.OPEN.value).order_by().values("kind")
    counted = rows.annotate(total=Count("pk"), week=Count("pk", filter=Q(due__lte=soon)), first=Min("due"))
    found = {row["kind"]: (row["total"], row["week"], row["first"]) for row in counted}
    return [KindFigures(kind, *found.get(kind.code, (0, 0, None))) for kind in kinds.all_kinds()]


def last_run() -> CareRun | None:
    """Returns the newest comparison, done or under way."""
    return CareRun.objects.order_by("-night").first()


def figures(*, actor: Actor, kind: WorkKind, office_id: UUID | None = None) -> WorkFigures:
    """Returns the numbers of the views of a kind, of one office only if given. Two queries."""
    today = clock.today()
    own = _own_office(actor)
    conditions = {f"n_{view.name}": Count("pk", filter=_condition(view, actor, own)) for view in views_of(kind)}
    rows = _of_office(deciding.kept_by(actor), office_id).filter(kind=kind.code).exclude(state=WorkState.GONE.value).order_by()
    counted = rows.aggregate(
        month=Count("pk", filter=Q(state=WorkState.OPEN.value, due__lte=today + dt.timedelta(days=MONTH))), **conditions
    )
    return WorkFigures({view: counted[f"n_{view.name}"] for view in views_of(kind)}, counted["month"])


def views_of(kind: WorkKind) -> list[View]:
    """Returns the views of a kind's list."""
    return [view for view in View if kind.reminds or view is not View.UNREMINDED]


def rows(*, actor: Actor, kind: WorkKind, view: View, office_id: UUID | None = None) -> QuerySet[WorkItem]:
    """Returns the rows of a view, of one office only if given, for `lines`."""
    own = _own_office(actor) if view is View.OFFICE else None
    found = _of_office(deciding.kept_by(actor), office_id).filter(_condition(view, actor, own), kind=kind.code)
    related: Any = ("person", "organisation", "office", "carrier")
    return found.select_related(*related).defer("carrier__card_key_spki")


def _of_office(rows: QuerySet[WorkItem], office_id: UUID | None) -> QuerySet[WorkItem]:
    return rows.filter(office=office_id) if office_id else rows


def _condition(view: View, actor: Actor, office_id: UUID | None) -> Q:
    state = Q(state=_STATES.get(view, WorkState.OPEN).value)
    match view:
        case View.WEEK:
            return state & Q(due__lte=clock.today() + dt.timedelta(days=WEEK))
        case View.UNREMINDED:
            counted = [MailState.WAITING, MailState.SENT]
            return state & ~Q(Exists(CardReminder.objects.filter(carrier=OuterRef("carrier"), state__in=counted)))
        case View.OFFICE:
            return state & (Q(office=office_id) if office_id else Q(pk__in=[]))
        case View.MINE:
            return state & Q(assignee_ref=actor.ref)
    return state


def _own_office(actor: Actor) -> UUID | None:
    """Returns the office that the actor ordered a card to last, or None."""
    own = CardOrder.objects.filter(ordered_by_ref=actor.ref, person__isnull=False)
    return own.order_by("-ordered_at").values_list("office", flat=True).first()


def lines(actor: Actor, found: Sequence[WorkItem]) -> list[WorkLine]:
    """Returns the rows of a page in words, with a constant number of queries."""
    carriers = [row.carrier_id for row in found if row.carrier_id and kinds.kind_of(row.kind).reminds]
    numbers = _numbers([row.person_id for row in found if row.person_id and row.person and not row.person.is_protected])
    sent = _reminders(carriers)
    reachable = reminding.addresses(carriers) if carriers else {}
    names = officers.names(actor, {row.assignee_ref for row in found if row.assignee_ref})
    return [_line(row, numbers, sent, reachable, names) for row in found]


def _line(
    row: WorkItem, numbers: dict[UUID, str], sent: dict[UUID, int], reachable: dict[UUID, str], names: dict[str, str]
) -> WorkLine:
    person, card = row.person, row.carrier
    return WorkLine(
        id=row.pk,
        kind=kinds.kind_of(row.kind),
        ids={name: getattr(row, name) for name in ("person_id", "carrier_id", "order_id", "office_id", "organisation_id")},
        name=f"{person.surname}, {person.given_name_in_use}" if person else row.organisation.name,
        number=numbers.get(row.person_id, "") if row.person_id else "",
        organisation=row.organisation.name,
        office=row.office.name if row.office else "",
        last=card.card_serial[-4:] if card else "",
        sent_on=wording.day(card.sent_at) if card else None,
        due=row.due,
        facts=row.facts,
        reminders=sent.get(row.carrier_id, 0) if row.carrier_id else 0,
        reachable=row.carrier_id in reachable,
        protected=person is not None and person.is_protected,
        settled=kinds.kind_of(row.kind).is_settled(card.state if card else None),
        responsible=names.get(row.assignee_ref, ""),
        reason=row.reason if row.state != WorkState.OPEN else "",
        until=row.postponed_until,
    )


def _numbers(person_ids: Collection[UUID]) -> dict[UUID, str]:
    """Returns the preferred number of each person as pages write it."""
    if not person_ids:
        return {}
    order = [kind.value for kind in PREFERENCE]
    found = PersonIdentifier.objects.filter(person__in=person_ids, valid_to=None).values_list("person", "kind", "value")
    by_preference = sorted(found, key=lambda row: order.index(row[1]), reverse=True)
    return {person_id: wording.person_number(kind, value) for person_id, kind, value in by_preference}


def _reminders(carrier_ids: Collection[UUID]) -> dict[UUID, int]:
    """Returns how many reminders of each card were sent or wait to be."""
    if not carrier_ids:
        return {}
    counted = [MailState.WAITING, MailState.SENT]
    rows = CardReminder.objects.filter(carrier__in=carrier_ids, state__in=counted).order_by().values("carrier")
    return {row["carrier"]: row["n"] for row in rows.annotate(n=Count("pk"))}
