"""Orders that came to nothing."""

import datetime as dt

from django.db.models import Exists, OuterRef, QuerySet

from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from siths_portal.lib import clock

SHOWN_DAYS = 60
"""Orders that failed or came back are shown for this many days, unless the person got another order."""


def without_a_later_order(orders: QuerySet[CardOrder], since: dt.datetime) -> QuerySet[CardOrder]:
    """Returns those of the orders since `since` that failed or came back, and whose person got no other order after them."""
    # Ids rise with time.
    later = CardOrder.objects.filter(person=OuterRef("person"), pk__gt=OuterRef("pk")).exclude(state=OrderState.CANCELLED.value)
    ended = [OrderState.FAILED.value, OrderState.RETURNED.value]
    return orders.filter(~Exists(later), state__in=ended, ordered_at__gte=since)


def failed() -> QuerySet[CardOrder]:
    """Returns the orders of the last SHOWN_DAYS that a supplier could not make, and whose person got no other after them."""
    since = clock.start_of_day(clock.today() - dt.timedelta(days=SHOWN_DAYS))
    return without_a_later_order(CardOrder.objects.get_queryset(), since).filter(state=OrderState.FAILED.value)
