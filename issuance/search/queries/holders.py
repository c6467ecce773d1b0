"""The holders of an organisation and of those below it: one line for each SITHS eID, filtered, ordered and paged
(rules/issuance 7.9, ADR 0190).

Two rights decide: `view_configuration` of the organisation opens the list (`_subtree`), and `view` selects its lines
(`_visible_and_chosen`). Each page reads every organisation from the cursor onward along an index, so that the last page of a long
list costs as much as the first.
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
from issuance.carriers.models import Carrier, Eid
from issuance.offices.models import Office
from issuance.orders.models.orders import OrderItem
from issuance.organisations.models import Organisation
from issuance.records.domain import wording
from siths_portal.lib import clock
from siths_portal.lib.database import plans
from siths_portal.lib.ids import id_of
from siths_portal.lib.lists import Cursor, Key, Order, Page, keyset

STATUSES = ("ordered", "sent", "activated_unsigned", "active", "revoked", "expired", "cancelled")
"""Statuses of an eID; an ordered eID takes the status of its card once the card is sent. Codes of `components/tag.html`."""

_FREQUENT = ("", EidState.ACTIVE.value, EidState.EXPIRED.value)
_WAITING = (CarrierState.SENT.value, CarrierState.ACTIVATED_UNSIGNED.value)
_NAME, _HSA_ID, _LAST_DAY = "namn", "id", "till"
_CHUNK = 2000
_ALL = Q()
_PROBE = 8
"""The number of rows read from each organisation at first: in a large tree a page has only a few from most of them."""

_FEW = 2000
"""Up to this many rows are sorted for a page; more are read along indexes."""


@dataclass(frozen=True)
class Choice:
    """Filters of the list: a `status` of `STATUSES`, the `office` of the order (of a migrated card that of its file), and the
    number of `days` within which the eID ends. Empty ones do not filter.
    """

    status: str = ""
    office: UUID | None = None
    days: int | None = None

    @property
    def columns(self) -> dict[str, str]:
        """Returns the sortable columns. The last day is sortable only with `days`, when every row has one."""
        found = {_NAME: "carrier__person__sort_name", _HSA_ID: "hsa_id"}
        return found | ({_LAST_DAY: "valid_to"} if self.days else {})

    @property
    def is_narrow(self) -> bool:
        """Returns whether the filter may leave few rows of many, which an index in list order finds slowly."""
        return bool(self.office or self.days or self.status not in _FREQUENT)

    @property
    def usual(self) -> str:
        """Returns the default order: by last day with `days`, else by name."""
        return _LAST_DAY if self.days else _NAME

    @property
    def facts(self) -> dict[str, Any]:
        """Returns the set filters, for the event."""
        chosen = {"status": self.status, "office": str(self.office or ""), "days": self.days or ""}
        return {name: value for name, value in chosen.items() if value}


@dataclass(frozen=True)
class HolderLine:
    """An eID in the list, with its holder by surname first and its status. `last_day` is None until it has certificates."""

    person_id: UUID
    name: str
    hsa_id: str
    organisation: str
    office: str
    card_serial: str
    status: str
    last_day: dt.date | None


class _Unnest(Func):
    """The elements of an array as rows."""

    function = "UNNEST"
    set_returning = True
    output_field = UUIDField()


@dataclass(frozen=True)
class Holders:
    """The source of the list: the eIDs in an organisation and below it that the actor may view. Each method raises NotFound or
    Forbidden unless the actor may view the organisation's configuration.
    """

    actor: Actor
    organisation_id: UUID
    choice: Choice

    def page(self, order: Order, by: Sequence[str | Key], cursor: Cursor | None, limit: int) -> Page[HolderLine]:
        """Returns a page in the order of a column of `Choice.columns`. Returns the first page if the cursor's row no longer
        exists or is not visible.
        """
        below = _subtree(self.actor, self.organisation_id)
        reader = _PageReader(_visible_and_chosen(self.actor, self.choice), self.choice, order, cursor)
        first = reader.first_of_few(below, limit + 1) if self.choice.is_narrow else None
        if first is None:
            first = reader.first(below, limit + 1)
        if reader.backwards and len(first) < limit:
            return self.page(order, by, None, limit)
        found = list(_read(Eid.objects.filter(pk__in=first).order_by(*_ordering(reader.reading, self.choice))))
        page = keyset.cut(found, limit=limit, cursor=reader.has_begun, backwards=reader.backwards)
        return Page(tuple(_line(row) for row in page.lines), page.previous, page.next)

    def count(self, most: int | None = None) -> int:
        """Returns the number of lines of `every`, or `most` if there are more."""
        return self._rows[:most].count()

    def every(self, order: Order, by: Sequence[str | Key] = ()) -> Iterator[HolderLine]:
        """Returns an iterator over all lines, which reads them through a database cursor. Raises at the call, not during
        iteration.
        """
        found = _read(self._rows.order_by(*_ordering(order, self.choice))).iterator(_CHUNK)
        return (_line(row) for row in found)

    @property
    def _rows(self) -> QuerySet[Eid]:
        return _visible_and_chosen(self.actor, self.choice).filter(organisation__in=_subtree(self.actor, self.organisation_id))


@dataclass(frozen=True)
class _PageReader:
    """A reader of one page of `rows` in list order, from the row of the cursor onward."""

    rows: QuerySet[Eid]
    choice: Choice
    order: Order
    cursor: Cursor | None

    @property
    def has_begun(self) -> bool:
        """Returns whether the cursor's row is in the list, so that the page does not begin at the start."""
        return self._last is not None

    @property
    def backwards(self) -> bool:
        """Returns whether the page is read backwards."""
        return self.has_begun and self.cursor is not None and self.cursor.backwards

    @cached_property
    def reading(self) -> Order:
        """Returns the order in which the page is read."""
        return Order(self.order.key, self.order.descending != self.backwards)

    def first_of_few(self, below: QuerySet[Organisation], limit: int) -> list[UUID] | None:
        """Returns the ids of the next `limit` rows if a narrow filter leaves few enough to sort. Returns None if not."""
        rows = self.rows.filter(organisation__in=below)
        if self.choice.office:
            # Without this the planner looks up the order of each eID in the tree.
            ordered = OrderItem.objects.filter(order__office=self.choice.office).values_list("carrier", flat=True)
            migrated = Carrier.objects.filter(office=self.choice.office).values_list("pk", flat=True)
            carriers = [*ordered[: _FEW + 1], *migrated[: _FEW + 1]]
            if len(carriers) > _FEW:
                return None
            rows = rows.filter(carrier__in=carriers)
        few = list(rows.order_by().values_list("pk", flat=True)[: _FEW + 1])
        return self._nearest(few, limit, self._beyond(by_scope=False)) if len(few) <= _FEW else None

    def first(self, below: QuerySet[Organisation], limit: int) -> list[UUID]:
        """Returns the ids of the next `limit` rows. Reads a few rows of each organisation, and `limit` of those that may have
        more on the page.
        """
        found = self._first_of_each(below, _PROBE)
        nearest = self._nearest(chain(*found.values()), limit)
        # More rows of an organisation can be on the page only if the last of its first few is.
        longer = [organisation for organisation, pks in found.items() if len(pks) == _PROBE and pks[-1] in nearest]
        if not longer:
            return nearest
        found |= self._first_of_each(below.filter(pk__in=longer), limit)
        return self._nearest(chain(*found.values()), limit)

    def _nearest(self, pks: Iterable[UUID], limit: int, beyond: Q = _ALL) -> list[UUID]:
        rows = Eid.objects.filter(beyond, pk__in=list(pks)).order_by(*_ordering(self.reading, self.choice))
        return list(rows.values_list("pk", flat=True)[:limit])

    def _first_of_each(self, organisations: QuerySet[Organisation], limit: int) -> dict[UUID, list[UUID]]:
        # The join with the person's scopes gives the order of an index and hides nothing: each eID's organisation has a row there
        # (`issuance_check_scope`), and `self.rows` is limited to visible rows already.
        in_one = self.rows.filter(
            self._beyond(by_scope=True), organisation=OuterRef("pk"), carrier__person__scopes__organisation=OuterRef("pk")
        ).order_by(*_ordering(self.reading, self.choice, by_scope=True))  # fmt: skip
        firsts = organisations.annotate(first=_Unnest(ArraySubquery(in_one.values("pk")[:limit])))
        found: dict[UUID, list[UUID]] = {}
        with plans.walking_indexes():
            for organisation, pk in firsts.values_list("pk", "first"):
                found.setdefault(organisation, []).append(pk)
        return found

    def _beyond(self, *, by_scope: bool) -> Q:
        """Returns the condition for rows after the cursor's row. `by_scope` uses the columns of the index of one organisation's
        people.
        """
        if self._last is None:
            return _ALL
        columns = _columns(self.order, self.choice, by_scope=by_scope)
        side = "lt" if self.reading.descending else "gt"
        behind, same = Q(), Q()
        for column, value in zip(columns, self._last, strict=True):
            behind |= same & Q(**{f"{column}__{side}": value})
            same &= Q(**{column: value})
        # Repeats the condition on the first column alone, so that the index scan starts there.
        return Q(**{f"{columns[0]}__{side}e": self._last[0]}) & behind

    @cached_property
    def _last(self) -> tuple[Any, ...] | None:
        row = id_of(self.cursor.row) if self.cursor else None
        if row is None:
            return None
        return self.rows.filter(pk=row).values_list(*_columns(self.order, self.choice, by_scope=False)).first()


def offices(*, actor: Actor, area_id: UUID) -> list[tuple[str, str]]:
    """Returns the offices of an area that the actor sees, as choices of a form: ids and names."""
    rows = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id).order_by("name", "pk")
    return [(str(pk), name) for pk, name in rows.values_list("pk", "name")]


def _subtree(actor: Actor, organisation_id: UUID) -> QuerySet[Organisation]:
    top = policy.get(actor, Action.VIEW_CONFIGURATION, Organisation.objects, organisation_id)
    return Organisation.objects.filter(scope_path__startswith=top.scope_path)


def _visible_and_chosen(actor: Actor, choice: Choice) -> QuerySet[Eid]:
    rows: QuerySet[Eid] = Eid.objects.visible_to(actor)
    if choice.status:
        rows = rows.filter(_status(choice.status))
    if choice.office:
        rows = rows.filter(Q(carrier__item__order__office=choice.office) | Q(carrier__office=choice.office))
    if choice.days:
        now = clock.now()
        end = clock.start_of_day(clock.today() + dt.timedelta(days=choice.days + 1))
        rows = rows.filter(state=EidState.ACTIVE.value, valid_to__gt=now, valid_to__lte=end)
    return rows


def _status(status: str) -> Q:
    """Returns the condition for rows with this result of `status_of`."""
    if status in _WAITING:
        return Q(state=EidState.ORDERED.value, carrier__state=status)
    if status == EidState.ORDERED:
        return Q(state=EidState.ORDERED.value) & ~Q(carrier__state__in=_WAITING)
    return Q(state=status)


def status_of(row: Eid) -> str:
    """Returns the status of an eID, one of `STATUSES`. Reads its carrier."""
    waits = row.state == EidState.ORDERED and row.carrier.state in _WAITING
    return str(row.carrier.state if waits else row.state)


def _columns(order: Order, choice: Choice, *, by_scope: bool) -> tuple[str, ...]:
    """Returns the columns of an order; the last one is unique. `by_scope` takes the name from the index of one organisation's
    people.
    """
    column = choice.columns[order.key]
    if order.key != _NAME:
        return (column, "pk")
    return ("carrier__person__scopes__sort_name" if by_scope else column, "carrier__person", "pk")


def _ordering(order: Order, choice: Choice, *, by_scope: bool = False) -> list[Any]:
    columns = [F(f"{name}_id" if name == "carrier__person" else name) for name in _columns(order, choice, by_scope=by_scope)]
    return [column.desc() if order.descending else column.asc() for column in columns]


def _read(rows: QuerySet[Eid]) -> QuerySet[Eid]:
    return rows.select_related("carrier__person", "carrier__item__order__office", "carrier__office", "organisation")


def _line(row: Eid) -> HolderLine:
    item = getattr(row.carrier, "item", None)
    office = item.order.office if item else row.carrier.office
    return HolderLine(
        person_id=row.carrier.holder_id,
        name=row.carrier.holder.sort_name,
        hsa_id=row.hsa_id,
        organisation=row.organisation.name,
        office=office.name if office else "",
        card_serial=row.carrier.card_serial,
        status=status_of(row),
        last_day=wording.last_day(row.valid_to),
    )
