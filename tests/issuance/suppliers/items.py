"""Orders of several items, for tests."""

from typing import Any

from issuance.orders.domain.items import CARD, ItemState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import ordering, progress
from issuance.records.services import steps
from siths_portal.lib import clock


def add_card(order: CardOrder) -> OrderItem:
    """Adds a further card of the same assignment to an order."""
    now = clock.now().replace(microsecond=0)
    carrier, eid = ordering._rows(order.eid.post, order.article, now)
    steps.begin([carrier], "ordered", actor_ref="system:test", facts={})
    steps.begin([eid], "ordered", actor_ref="system:test", facts={})
    number = OrderItem.objects.filter(order=order).count() + 1
    item = OrderItem(order=order, number=number, kind=CARD.code, carrier=carrier, eid=eid, state=ItemState.WAITING.value)
    steps.begin([item], "ordered", actor_ref="system:test", facts=progress.item_facts(item))
    return item


def states(order: CardOrder) -> tuple[str, list[Any]]:
    """The state of the order, and those of its items by number."""
    return (
        CardOrder.objects.get(pk=order.pk).state,
        list(OrderItem.objects.filter(order=order).order_by("number").values_list("state", flat=True)),
    )
