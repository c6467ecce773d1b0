"""All holders of an organisation and of those below it: one line for each SITHS eID, filtered, ordered and paged
(rules/issuance 7.9).

A page is read organisation by organisation, each from where the page begins along an index, so that the last page of a long list
costs what the first does.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, Func, OuterRef, Q, QuerySet, UUIDField

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Eid
from issuance.offices.models import Office
from issuance.orders.models.orders import OrderItem
from issuance.organisations.models import Organisation
from issuance.records.queries import words
from siths_portal.lib import clock
from siths_portal.lib.database import plans
from siths_portal.lib.ids import id_of
from siths_portal.lib.lists import Cursor, Key, Order, Page, keyset

STATUSES = ("ordered", "sent", "activated_unsigned", "active", "revoked", "expired", "cancelled")
"""How an eID stands, with what its card waits for while it is ordered; the codes of `components/tag.html`."""

_FREQUENT = ("", EidState.ACTIVE.value, EidState.EXPIRED.value)
_WAITING = (CarrierState.SENT.value, CarrierState.ACTIVATED_UNSIGNED.value)
_NAME, _HSA_ID, _LAST_DAY = "namn", "id", "till"
_CHUNK = 2000
_ALL = Q()
_PROBE = 8
"""How many rows of each organisation are read at first: in a tree of many, a page has few of most."""

_FEW = 2000
"""How many rows are rather sorted for a page than looked for one by one among all others."""


@dataclass(frozen=True)
class Choice:
    """Which holders a list shows: `status` of `STATUSES` or all, `office` of the order or any, `days` within which it ends."""

    status: str = ""
    office: UUID | None = None
    days: int | None = None

    @property
    def columns(self) -> dict[str, str]:
        """What the list can be ordered by. Only those that end have a last day for certain."""
        found = {_NAME: "carrier__person__sort_name", _HSA_ID: "hsa_id"}
        return found | ({_LAST_DAY: "valid_to"} if self.days else {})

    @property
    def is_narrow(self) -> bool:
        """Whether it may leave few of many, so that those it leaves lie far apart in any order."""
        return bool(self.office or self.days or self.status not in _FREQUENT)

    @property
    def usual(self) -> str:
        """The order that is not asked for: who ends first, or the name."""
        return _LAST_DAY if self.days else _NAME

    @property
    def facts(self) -> dict[str, Any]:
        """What is chosen, for the event."""
        chosen = {"status": self.status, "office": str(self.office or ""), "days": self.days or ""}
        return {name: value for name, value in chosen.items() if value}


@dataclass(frozen=True)
class HolderLine:
    """An eID in a list: its holder, named by surname first, and how it stands. `last_day` is None until it has certificates."""

    person_id: UUID
    name: str
    hsa_id: str
    organisation: str
    office: str
    card_serial: str
    status: str
    last_day: dt.date | None


class _Unnest(Func):
    """An array's elements as rows."""

    function = "UNNEST"
    set_returning = True
    output_field = UUIDField()


@dataclass(frozen=True)
class Holders:
    """The source of the list: the eIDs in an organisation and below it that the actor sees.

    Each method raises NotFound, Forbidden.
    """

    actor: Actor
    organisation_id: UUID
    choice: Choice

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[HolderLine]:
        """Returns a page in the order of a column of `Choice.columns`; the first one if the cursor is gone or out of sight."""
        below = _subtree(self.actor, self.organisation_id)
        walk = _Walk(_chosen(self.actor, self.choice), self.choice, order, cursor)
        first = walk.first_of_few(below, limit + 1) if self.choice.is_narrow else None
        if first is None:
            first = walk.first(below, limit + 1)
        if walk.backwards and len(first) < limit:
            return self.page(order, by, None, limit)
        found = list(_read(Eid.objects.filter(pk__in=first).order_by(*_ordering(walk.reading, self.choice))))
        page = keyset.cut(found, limit=limit, cursor=walk.has_begun, backwards=walk.backwards)
        return Page(tuple(_line(row) for row in page.lines), page.previous, page.next)

    def count(self, most: int | None = None) -> int:
        """Returns how many lines `every` has, counted no further than `most`."""
        return self._rows[:most].count()

    def every(self, order: Order, by: Sequence[str | Key] = ()) -> Iterator[HolderLine]:
        """Returns all lines of the list, read by a cursor of the database while they are used. Raises at once."""
        found = _read(self._rows.order_by(*_ordering(order, self.choice))).iterator(_CHUNK)
        return (_line(row) for row in found)

    @property
    def _rows(self) -> QuerySet[Eid]:
        return _chosen(self.actor, self.choice).filter(organisation__in=_subtree(self.actor, self.organisation_id))


@dataclass(frozen=True)
class _Walk:
    """The way to a page of `rows` in the list's order, beyond the row of the cursor."""

    rows: QuerySet[Eid]
    choice: Choice
    order: Order
    cursor: Cursor | None

    @property
    def has_begun(self) -> bool:
        """Whether the cursor's row is in the list, so that the page does not begin at its start."""
        return self._last is not None

    @property
    def backwards(self) -> bool:
        """Whether the page is read from its end to its start."""
        return self.has_begun and self.cursor is not None and self.cursor.backwards

    @cached_property
    def reading(self) -> Order:
        """The order in which the page is read."""
        return Order(self.order.key, self.order.descending != self.backwards)

    def first_of_few(self, below: QuerySet[Organisation], limit: int) -> list[UUID] | None:
        """The first `limit` rows beyond, if a narrow choice leaves few enough to sort them all; else None."""
        rows = self.rows.filter(organisation__in=below)
        if self.choice.office:
            # The planner would rather look up the order of each eID in the tree.
            ordered = OrderItem.objects.filter(order__office=self.choice.office).values_list("carrier", flat=True)
            carriers = list(ordered[: _FEW + 1])
            if len(carriers) > _FEW:
                return None
            rows = rows.filter(carrier__in=carriers)
        few = list(rows.order_by().values_list("pk", flat=True)[: _FEW + 1])
        return self._nearest(few, limit, self._beyond(walked=False)) if len(few) <= _FEW else None

    def first(self, below: QuerySet[Organisation], limit: int) -> list[UUID]:
        """The first `limit` rows beyond: of a few of each organisation, and of `limit` of those of which a few do not do."""
        found = self._first_of_each(below, _PROBE)
        nearest = self._nearest(chain(*found.values()), limit)
        # Those behind the last of an organisation's few can be among the first of all only if that one is.
        longer = [organisation for organisation, pks in found.items() if len(pks) == _PROBE and pks[-1] in nearest]
        if not longer:
            return nearest
        found |= self._first_of_each(below.filter(pk__in=longer), limit)
        return self._nearest(chain(*found.values()), limit)

    def _nearest(self, pks: Iterable[UUID], limit: int, beyond: Q = _ALL) -> list[UUID]:
        rows = Eid.objects.filter(beyond, pk__in=list(pks)).order_by(*_ordering(self.reading, self.choice))
        return list(rows.values_list("pk", flat=True)[:limit])

    def _first_of_each(self, organisations: QuerySet[Organisation], limit: int) -> dict[UUID, list[UUID]]:
        in_one = self.rows.filter(
            self._beyond(walked=True), organisation=OuterRef("pk"), carrier__person__scopes__organisation=OuterRef("pk")
        ).order_by(*_ordering(self.reading, self.choice, walked=True))  # fmt: skip
        firsts = organisations.annotate(first=_Unnest(ArraySubquery(in_one.values("pk")[:limit])))
        found: dict[UUID, list[UUID]] = {}
        with plans.walking_indexes():
            for organisation, pk in firsts.values_list("pk", "first"):
                found.setdefault(organisation, []).append(pk)
        return found

    def _beyond(self, *, walked: bool) -> Q:
        """What comes beyond the cursor's row; `walked`: by the columns that the walk through one organisation is ordered by."""
        if self._last is None:
            return _ALL
        columns = _columns(self.order, self.choice, walked=walked)
        side = "lt" if self.reading.descending else "gt"
        behind, same = Q(), Q()
        for column, value in zip(columns, self._last, strict=True):
            behind |= same & Q(**{f"{column}__{side}": value})
            same &= Q(**{column: value})
        # Said once more of the first column alone, which is where the index begins.
        return Q(**{f"{columns[0]}__{side}e": self._last[0]}) & behind

    @cached_property
    def _last(self) -> tuple[Any, ...] | None:
        row = id_of(self.cursor.row) if self.cursor else None
        if row is None:
            return None
        return self.rows.filter(pk=row).values_list(*_columns(self.order, self.choice, walked=False)).first()


def offices(*, actor: Actor, area_id: UUID) -> list[tuple[str, str]]:
    """The offices of an area that the actor sees, as choices of a form: ids and names."""
    rows = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id).order_by("name", "pk")
    return [(str(pk), name) for pk, name in rows.values_list("pk", "name")]


def _subtree(actor: Actor, organisation_id: UUID) -> QuerySet[Organisation]:
    top = policy.get(actor, Action.VIEW_CONFIGURATION, Organisation.objects.all(), organisation_id)
    return Organisation.objects.filter(scope_path__startswith=top.scope_path)


def _chosen(actor: Actor, choice: Choice) -> QuerySet[Eid]:
    rows: QuerySet[Eid] = Eid.objects.visible_to(actor)
    if choice.status:
        rows = rows.filter(_status(choice.status))
    if choice.office:
        rows = rows.filter(carrier__item__order__office=choice.office)
    if choice.days:
        now = clock.now()
        end = clock.start_of_day(clock.today() + dt.timedelta(days=choice.days + 1))
        rows = rows.filter(state=EidState.ACTIVE.value, valid_to__gt=now, valid_to__lte=end)
    return rows


def _status(status: str) -> Q:
    """The condition of `status_of`, as the database asks it."""
    if status in _WAITING:
        return Q(state=EidState.ORDERED.value, carrier__state=status)
    if status == EidState.ORDERED:
        return Q(state=EidState.ORDERED.value) & ~Q(carrier__state__in=_WAITING)
    return Q(state=status)


def status_of(row: Eid) -> str:
    """How an eID stands, of `STATUSES`; its carrier is read."""
    waits = row.state == EidState.ORDERED and row.carrier.state in _WAITING
    return str(row.carrier.state if waits else row.state)


def _columns(order: Order, choice: Choice, *, walked: bool) -> tuple[str, ...]:
    """The columns of an order, the last one unique. `walked`: the name as it stands in the index of one organisation's people."""
    column = choice.columns[order.key]
    if order.key != _NAME:
        return (column, "pk")
    return ("carrier__person__scopes__sort_name" if walked else column, "carrier__person", "pk")


def _ordering(order: Order, choice: Choice, *, walked: bool = False) -> list[Any]:
    columns = [F(f"{name}_id" if name == "carrier__person" else name) for name in _columns(order, choice, walked=walked)]
    return [column.desc() if order.descending else column.asc() for column in columns]


def _read(rows: QuerySet[Eid]) -> QuerySet[Eid]:
    return rows.select_related("carrier__person", "carrier__item__order__office", "organisation")


def _line(row: Eid) -> HolderLine:
    item = getattr(row.carrier, "item", None)
    return HolderLine(
        person_id=row.carrier.holder_id,
        name=row.carrier.holder.sort_name,
        hsa_id=row.hsa_id,
        organisation=row.organisation.name,
        office=item.order.office.name if item else "",
        card_serial=row.carrier.card_serial,
        status=status_of(row),
        last_day=words.last_day(row.valid_to),
    )
