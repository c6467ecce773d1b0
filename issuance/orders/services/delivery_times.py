"""Counts by night how fast suppliers make cards (rules/issuance 3.15)."""

import datetime as dt
from collections import Counter

import structlog
from django.db import transaction
from django.db.models import Count
from django.db.models.functions import TruncDate

from issuance.orders.domain.items import CARD
from issuance.orders.models.delivery_times import DeliveryTime
from issuance.orders.models.orders import OrderItem
from siths_portal.lib import clock, workdays
from siths_portal.lib.database import locks

log = structlog.get_logger(__name__)

COUNTED_DAYS = 30
FEWEST = 20
"""The fewest cards of which a half tells something."""

_LOCK = locks.number("issuance.count_delivery_times")


def count_due() -> int:
    """Counts the cards of the last 30 days, once a day, and replaces the delivery times of all suppliers. Returns their number;
    0 if they are counted today, or if another process counts them.

    A card counts from its order to the day on which it was left to the post, but not if it was made in the place of another.
    """
    today = clock.today()
    with locks.held_if_free(_LOCK) as mine:
        if not mine or DeliveryTime.objects.filter(counted_on__gte=today).exists():
            return 0
        found = {ref: spread for ref, spread in _spreads(today).items() if spread.total() >= FEWEST}
        rows = [
            DeliveryTime(supplier_ref=ref, working_days=_half(spread), cards=spread.total(), counted_on=today)
            for ref, spread in found.items()
        ]
        with transaction.atomic(durable=True):
            DeliveryTime.objects.all().delete()
            DeliveryTime.objects.bulk_create(rows)
    log.info("delivery_times.counted", suppliers=len(rows))
    return len(rows)


def _spreads(today: dt.date) -> dict[str, Counter[int]]:
    """Returns for each supplier how many cards it sent after so many working days. One query, by the index of `dispatched_at`."""
    first = today - dt.timedelta(days=COUNTED_DAYS)
    sent = OrderItem.objects.filter(
        kind=CARD.code, replaces=None, dispatched_at__gte=clock.start_of_day(first), sent_on__gte=first, sent_on__lte=today
    )
    ordered = TruncDate("order__ordered_at", tzinfo=clock.STOCKHOLM)
    counted = sent.order_by().annotate(ordered=ordered).values_list("order__supplier_ref", "ordered", "sent_on")
    found: dict[str, Counter[int]] = {}
    for ref, ordered_on, sent_on, cards in counted.annotate(Count("pk")):
        found.setdefault(ref, Counter())[workdays.between(ordered_on, sent_on)] += cards
    return found


def _half(spread: Counter[int]) -> int:
    """Returns the fewest working days within which half of the cards were sent."""
    sent = 0
    for days in sorted(spread):
        sent += spread[days]
        if sent * 2 >= spread.total():
            return days
    return 0
