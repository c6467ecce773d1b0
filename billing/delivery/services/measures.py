"""Metrics of deliveries: how long documents wait, and how many the access point or the receiver refuses (docs/alarms.md)."""

import datetime as dt

from django.db.models import Max, Min

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
    """Sets the gauges. A rejected document counts until somebody has handled it.

    A document that a clock ahead of time issued counts as late, since nobody knows for how long it has waited.
    """
    queued = Delivery.objects.filter(state__in=UNDELIVERED).aggregate(oldest=Min("queued_at"), newest=Max("queued_at"))
    waited = max(clock.now() - queued["oldest"], queued["newest"] - clock.now()) if queued["oldest"] else dt.timedelta(0)
    _WAITING.set(waited.total_seconds())
    refused = Delivery.objects.filter(state__in=[DeliveryState.STOPPED, DeliveryState.REJECTED])
    _REFUSED.set(refused.count())
