"""Steps of order items. The state of an order follows from the states of its items, in the same transaction."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from issuance.orders.domain.items import DISPATCHED, ItemAction, ItemState, actions_of_order
from issuance.orders.domain.order_states import OrderAction, OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.records.services import steps
from siths_portal.lib import clock


def item_facts(item: OrderItem) -> dict[str, Any]:
    """Returns what each event of an item names: its order and its number in it."""
    return {"order": str(item.order_id), "item": item.number}


def step_items(
    order: CardOrder,
    items: Sequence[OrderItem],
    action: ItemAction,
    *,
    actor_ref: str,
    facts: Mapping[str, Any],
    reason: str = "",
    **changes: Any,
) -> None:
    """Applies `action` and `changes` to items of a locked order, and takes the order to the state that its items have reached.

    `facts` are those of the order's events, `reason` that of a failure or return. Raises IllegalTransition if the state of an
    item does not allow the action.
    """
    why = {"reason": reason} if reason else {}
    steps.step(items, action, actor_ref=actor_ref, facts=lambda item: item_facts(item) | why, **changes)
    states = OrderItem.objects.current().filter(order=order).order_by().values_list("state", flat=True).distinct()
    for step in actions_of_order(OrderState(order.state), [ItemState(state) for state in states]):
        of_order = _changes_of_order(order, step, reason)
        moment = {"dispatched_at": of_order["sent_at"].isoformat()} if step is OrderAction.SEND else {}
        steps.step([order], step, actor_ref=actor_ref, facts={**facts, **moment}, **of_order)


def _changes_of_order(order: CardOrder, action: OrderAction, reason: str) -> dict[str, Any]:
    """Returns the columns of the order that the action sets, of which some come from its items."""
    if action is OrderAction.PRODUCE:
        return {"produced_at": clock.now()}
    if action is OrderAction.SEND:
        sent = OrderItem.objects.filter(order=order, sent_on__isnull=False).order_by("-sent_on", "-number")
        sent_on, registered_mail_id = sent.values_list("sent_on", "registered_mail_id")[0]
        return {"sent_at": _dispatch(order), "sent_on": sent_on, "registered_mail_id": registered_mail_id}
    return {"failure_reason": reason} if action is OrderAction.FAIL else {}


def _dispatch(order: CardOrder) -> dt.datetime:
    """Marks the items that leave with this dispatch, spoilt ones included, which billing reads. Returns its moment."""
    now = clock.now()
    leaving = OrderItem.objects.filter(order=order, dispatched_at=None, state__in=DISPATCHED)
    leaving.update(dispatched_at=now)
    return now
