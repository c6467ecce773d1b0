"""Metrics of the stock of reserve cards: offices that need more and have ordered none (docs/alarms.md)."""

from issuance.stock.queries.shortage import shortage
from siths_portal.lib.monitoring import metrics

_SHORT = metrics.gauge(
    "reserve_stock_short_offices",
    "Open offices whose usable reserve cards, with those on their way, are fewer than their level",
    mode="mostrecent",
)
_EMPTY = metrics.gauge(
    "reserve_stock_empty_offices", "Open offices with a level that have no usable reserve card", mode="mostrecent"
)


def measure() -> None:
    """Sets the gauges."""
    found = shortage()
    _SHORT.set(found.short)
    _EMPTY.set(found.empty)
