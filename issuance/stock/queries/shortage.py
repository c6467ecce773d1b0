"""How many offices lack reserve cards, for operators: numbers only, as a stock belongs to those who keep it."""

from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, Count, F, QuerySet, Value

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.orders.domain import items
from issuance.orders.models.orders import OrderItem
from issuance.stock.models import StockCard, StockLevel
from issuance.stock.services.cards import usable

_LEVEL, _HELD, _COMING = "level", "held", "coming"
_ON_THE_WAY = [CarrierState.ORDERED.value, CarrierState.SENT.value]


@dataclass(frozen=True)
class Shortage:
    """The open offices that have a level; how many of them have fewer usable cards than it, with those on their way counted; and
    how many have no usable card.
    """

    offices: int
    short: int
    empty: int


def shortage() -> Shortage:
    """Counts the offices. One query."""
    levels = StockLevel.objects.filter(least__gt=0, office__closed_at=None)
    offices = levels.values("office")
    held = StockCard.objects.filter(usable(), office__in=offices).values(place=F("office"))
    bundles = OrderItem.objects.filter(kind=items.RESERVE_CARD.code, order__person=None, order__office__in=offices)
    waited = bundles.filter(carrier__state__in=_ON_THE_WAY, carrier__stock=None).values(place=F("order__office"))
    parts = _part(levels.values(place=F("office")), _LEVEL, F("least")).union(
        _part(held, _HELD, Count("pk")), _part(waited, _COMING, Count("pk")), all=True
    )
    found: dict[str, dict[Any, int]] = {_LEVEL: {}, _HELD: {}, _COMING: {}}
    for part, place, count in parts:
        found[part][place] = count
    level, in_stock, coming = found[_LEVEL], found[_HELD], found[_COMING]
    return Shortage(
        offices=len(level),
        short=sum(in_stock.get(pk, 0) + coming.get(pk, 0) < least for pk, least in level.items()),
        empty=sum(pk not in in_stock for pk in level),
    )


def _part(rows: QuerySet[Any, Any], part: str, count: Any) -> QuerySet[Any, Any]:
    """Returns a number of each office, which is `place` of the rows."""
    counted: QuerySet[Any, Any] = rows.order_by().annotate(part=Value(part, output_field=CharField()), count=count)
    return counted.values_list("part", "place", "count")
