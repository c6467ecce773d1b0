"""Metrics of deliveries: how long documents wait, and how many the access point or the receiver refuses (docs/alarms.md)."""

from django.db.models import Min

from billing.delivery.models import UNDELIVERED, Delivery, DeliveryState
from siths_portal.lib import clock
from siths_portal.lib.monitoring import metrics

_WAITING = metrics.gauge(
    "invoice_deliveries_waiting_seconds", "How long the oldest issued document has waited for a verdict", mode="mostrecent"
)
_REFUSED = metrics.gauge(
    "invoice_deliveries_refused", "Issued documents that the access point or the receiver refuses", mode="mostrecent"
)


def measure() -> None:
    """Sets the gauges. A rejected document counts until somebody has handled it."""
    oldest = Delivery.objects.filter(state__in=UNDELIVERED).aggregate(oldest=Min("queued_at"))["oldest"]
    _WAITING.set((clock.now() - oldest).total_seconds() if oldest else 0)
    refused = Delivery.objects.filter(state__in=[DeliveryState.STOPPED, DeliveryState.REJECTED])
    _REFUSED.set(refused.count())
