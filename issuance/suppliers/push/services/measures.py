"""Metrics of the suppliers: how long orders and deliveries wait, whether they are heard, what differs (docs/alarms.md).

Another worker than the suppliers' measures, so that the values are true also while that one stands still.
"""

import datetime as dt

from issuance.suppliers.push.queries import overview
from siths_portal.lib import clock
from siths_portal.lib.monitoring import metrics

_LABELS = ["supplier"]
_QUEUE = metrics.gauge(
    "supplier_orders_waiting_seconds", "How long the oldest order has waited for its supplier", _LABELS, mode="mostrecent"
)
_DELIVERIES = metrics.gauge(
    "supplier_deliveries_waiting_seconds", "How long the oldest delivery has waited to be taken", _LABELS, mode="mostrecent"
)
_STOPPED = metrics.gauge("supplier_deliveries_stopped", "Deliveries that wait for an operator", _LABELS, mode="mostrecent")
_SILENT = metrics.gauge(
    "supplier_silent_seconds", "For how long a supplier with orders has not been heard", _LABELS, mode="mostrecent"
)
_DIFFERENT = metrics.gauge(
    "supplier_orders_different", "Orders about which supplier and portal differ", _LABELS, mode="mostrecent"
)
_CERTIFICATE = metrics.gauge(
    "supplier_certificate_left_seconds", "How long the supplier's last certificate is valid", _LABELS, mode="mostrecent"
)


def measure() -> None:
    """Sets the gauges for each active supplier. A certificate with an unknown end counts as one that does not end."""
    now = clock.now()
    for each in overview.suppliers(now):
        if not each.active:
            continue
        _QUEUE.labels(each.client_ref).set(_since(each.oldest_queued_at, now))
        _DELIVERIES.labels(each.client_ref).set(_since(each.oldest_delivery_at, now))
        _STOPPED.labels(each.client_ref).set(each.stopped)
        _SILENT.labels(each.client_ref).set(each.silent_for.total_seconds())
        _DIFFERENT.labels(each.client_ref).set(each.differences)
        ends = each.certificate_ends
        left = max((end - now for end in ends if end), default=dt.timedelta(0)) if ends else dt.timedelta(0)
        _CERTIFICATE.labels(each.client_ref).set(float("inf") if None in ends else left.total_seconds())


def _since(moment: dt.datetime | None, now: dt.datetime) -> float:
    return abs((now - moment).total_seconds()) if moment else 0
