"""How many cards the suppliers send, by working day."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db.models import Count

from issuance.orders.models.orders import OrderItem
from siths_portal.lib import clock, workdays

DAYS = 10
"""So many working days are counted, the present one included."""


@dataclass(frozen=True)
class SentCards:
    """The cards that each supplier sent on `days`, the newest last. A card that leaves on a day off counts on the working day
    before.
    """

    days: tuple[dt.date, ...]
    by_supplier: Mapping[str, Mapping[dt.date, int]]

    def of(self, client_ref: str) -> list[int]:
        """Returns the cards of a supplier on each of the days."""
        counted = self.by_supplier.get(client_ref, {})
        return [counted.get(day, 0) for day in self.days]

    def of_all(self) -> list[int]:
        """Returns the cards of all suppliers on each of the days."""
        return [sum(counted.get(day, 0) for counted in self.by_supplier.values()) for day in self.days]


def sent_cards() -> SentCards:
    """Returns the cards of the last days. A card counts on the day on which it was left to the post, as soon as the supplier has
    reported all of its order. One query, by the index of `dispatched_at`.
    """
    days = workdays.latest(clock.today(), DAYS)
    sent = OrderItem.objects.filter(
        dispatched_at__gte=clock.start_of_day(days[0]), sent_on__gte=days[0], carrier__isnull=False
    ).order_by()
    found: dict[str, dict[dt.date, int]] = {}
    for ref, sent_on, count in sent.values_list("order__supplier_ref", "sent_on").annotate(Count("pk")):
        day = max(each for each in days if each <= sent_on)
        counted = found.setdefault(ref, {})
        counted[day] = counted.get(day, 0) + count
    return SentCards(tuple(days), found)
