"""How many cards are ordered from suppliers, and how many they send, by working day."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import CharField, Count, F, QuerySet, Value
from django.db.models.functions import TruncDate

from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import OrderItem
from siths_portal.lib import clock, workdays

DAYS = 10
"""So many working days are counted, the present one included."""

_ORDERED, _SENT = "ordered", "sent"

type _Counts = Mapping[str, Mapping[dt.date, int]]


@dataclass(frozen=True)
class Rates:
    """The cards that were ordered from each supplier, and those that it sent, on `days`, the newest last. A card of a day off
    counts on the working day before.
    """

    days: tuple[dt.date, ...]
    ordered: _Counts = field(default_factory=dict)
    sent: _Counts = field(default_factory=dict)

    def sent_by(self, client_ref: str) -> list[int]:
        """Returns the cards that a supplier sent on each of the days."""
        return self._of([self.sent.get(client_ref, {})])

    def ordered_from(self, client_ref: str) -> list[int]:
        """Returns the cards that were ordered from a supplier on each of the days."""
        return self._of([self.ordered.get(client_ref, {})])

    def sent_by_all(self) -> list[int]:
        """Returns the cards that all suppliers sent on each of the days."""
        return self._of(list(self.sent.values()))

    def ordered_from_all(self) -> list[int]:
        """Returns the cards that were ordered on each of the days."""
        return self._of(list(self.ordered.values()))

    def _of(self, counted: Sequence[Mapping[dt.date, int]]) -> list[int]:
        return [sum(each.get(day, 0) for each in counted) for day in self.days]


def rates() -> Rates:
    """Returns the cards of the last days. A card is sent on the day on which it was left to the post, as soon as the supplier has
    reported all of its order. A withdrawn order does not count, and a piece that is made again counts once. One query, by the
    indexes of `dispatched_at` and `ordered_at`.
    """
    days = workdays.latest(clock.today(), DAYS)
    since = clock.start_of_day(days[0])
    cards = OrderItem.objects.filter(carrier__isnull=False).order_by()
    sent = _counted(cards.filter(dispatched_at__gte=since, sent_on__gte=days[0]), _SENT, F("sent_on"))
    ordered = cards.filter(order__ordered_at__gte=since, replaces=None).exclude(order__state=OrderState.CANCELLED.value)
    day = TruncDate("order__ordered_at", tzinfo=clock.STOCKHOLM)
    found: dict[str, dict[str, dict[dt.date, int]]] = {_SENT: {}, _ORDERED: {}}
    for what, ref, at, count in sent.union(_counted(ordered, _ORDERED, day), all=True):
        counted = found[what].setdefault(ref, {})
        on = max(each for each in days if each <= at)
        counted[on] = counted.get(on, 0) + count
    return Rates(tuple(days), found[_ORDERED], found[_SENT])


def _counted(cards: QuerySet[OrderItem], what: str, day: Any) -> QuerySet[Any, Any]:
    named: QuerySet[Any, Any] = cards.annotate(what=Value(what, output_field=CharField()), day=day)
    counted: QuerySet[Any, Any] = named.values_list("what", "order__supplier_ref", "day").annotate(Count("pk"))
    return counted
