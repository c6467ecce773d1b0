"""Metrics of card orders: refused PUKs, and sent cards that wait for their PUK (docs/alarms.md)."""

from django.db.models import Min

from issuance.orders.domain.items import UNSENT, ItemState
from issuance.orders.domain.puk_states import PukState
from issuance.orders.models.orders import OrderItem
from issuance.suppliers.domain import EventOutcome, Sent
from issuance.suppliers.models import SupplierEvent
from siths_portal.lib import clock
from siths_portal.lib.monitoring import metrics

_REFUSED = metrics.gauge("card_orders_puk_refused", "Card orders under way whose PUK was refused", mode="mostrecent")
_WAITING = metrics.gauge(
    "card_orders_sent_waiting_seconds", "How long the oldest report of a sent card has waited for its PUK", mode="mostrecent"
)


def measure() -> None:
    """Sets the gauges."""
    _REFUSED.set(OrderItem.objects.filter(puk=PukState.REFUSED.value, state__in=UNSENT).count())
    parked = SupplierEvent.objects.filter(kind=Sent.kind, status=EventOutcome.PARKED.value, item__state=ItemState.PRODUCED.value)
    oldest = parked.aggregate(oldest=Min("received_at"))["oldest"]
    _WAITING.set((clock.now() - oldest).total_seconds() if oldest else 0)
