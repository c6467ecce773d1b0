"""Metrics of the stock of reserve cards: offices that need more and have ordered none (docs/alarms.md)."""

from django.db.models import Count

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.orders.domain import items
from issuance.orders.models.orders import OrderItem
from issuance.stock.models import StockCard, StockLevel
from issuance.stock.services.cards import usable
from siths_portal.lib.monitoring import metrics

_SHORT = metrics.gauge(
    "reserve_stock_short_offices",
    "Open offices whose usable reserve cards, with those on their way, are fewer than their level",
    mode="mostrecent",
)
_EMPTY = metrics.gauge(
    "reserve_stock_empty_offices", "Open offices with a level that have no usable reserve card", mode="mostrecent"
)
_COMING = [CarrierState.ORDERED.value, CarrierState.SENT.value]


def measure() -> None:
    """Sets the gauges. Three queries."""
    levels = dict(StockLevel.objects.filter(least__gt=0, office__closed_at=None).values_list("office", "least"))
    cards = StockCard.objects.filter(usable(), office__in=levels).order_by().values_list("office")
    in_stock = dict(cards.annotate(Count("pk")))
    bundles = OrderItem.objects.filter(kind=items.RESERVE_CARD.code, order__person=None, order__office__in=levels)
    waited = bundles.filter(carrier__state__in=_COMING, carrier__stock=None).order_by().values_list("order__office")
    coming = dict(waited.annotate(Count("pk")))
    _SHORT.set(sum(in_stock.get(pk, 0) + coming.get(pk, 0) < least for pk, least in levels.items()))
    _EMPTY.set(sum(pk not in in_stock for pk in levels))
