"""The rows that a supplier's call changes: an item of its order with carrier, eIDs and order, locked in the order of `steps`."""

from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.carriers.models import Carrier, Eid
from issuance.orders.domain.items import ItemState
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from siths_portal.lib.errors import Conflict, NotFound


@dataclass(frozen=True)
class ItemRows:
    """The locked rows of one item. `made` is its carrier, None for a letter."""

    item: OrderItem
    made: Carrier | None
    eids: list[Eid]

    @property
    def order(self) -> CardOrder:
        """Returns the locked order of the item, with its article."""
        return self.item.order

    @property
    def carrier(self) -> Carrier:
        """Returns the locked carrier. Raises NotFound if the item makes none."""
        if self.made is None:
            raise NotFound("item-without-carrier", "Beställningens del är inget kort.")
        return self.made


def lock_item(actor: Actor, action: Action, order_id: UUID, number: int | None = None) -> ItemRows:
    """Locks carrier, eIDs, order and item, in this order, if `actor` may do `action` to the order. `number` names the item; None
    means the only one. Raises NotFound, Conflict if the order has several items and the call names none.
    """
    seen = item_of(policy.get(actor, action, CardOrder.objects, order_id), number)
    carrier = Carrier.objects.select_for_update(no_key=True).get(pk=seen.carrier_id) if seen.carrier_id else None
    eids = list(Eid.objects.select_for_update(no_key=True).filter(carrier=carrier).order_by("id")) if carrier else []
    items = OrderItem.objects.select_for_update(of=("self", "order"), no_key=True).select_related("order__article", "puk_of")
    return ItemRows(items.get(pk=seen.pk), carrier, eids)


def item_of(order: CardOrder, number: int | None) -> OrderItem:
    """Returns the item of an order that a call means: `number`, or the only one. Raises NotFound, Conflict."""
    if number is not None:
        found = OrderItem.objects.filter(order=order, number=number).select_related("carrier").first()
        if found is None:
            raise NotFound("item-unknown", "Beställningen har ingen del med det numret.")
        return found
    several = list(OrderItem.objects.current().filter(order=order).select_related("carrier").order_by("number")[:2])
    if len(several) != 1:
        raise Conflict("order-has-items", "Beställningen har flera delar. Ange delens nummer i adressen.")
    if several[0].state == ItemState.REMADE:
        raise Conflict("item-pending", "Den del som ska göras i stället läggs till. Försök igen om en stund.")
    return several[0]


def require_not_withdrawn(order: CardOrder) -> None:
    """Raises Conflict if the customer withdrew the order, which is possible until the supplier accepts it."""
    if order.state == OrderState.CANCELLED:
        raise Conflict("order-withdrawn", "Beställningen är borttagen av kunden. Tillverka inget kort.")


def require_accepted(order: CardOrder) -> None:
    """Raises Conflict unless the supplier has accepted the order, also if the customer withdrew it."""
    require_not_withdrawn(order)
    if order.state == OrderState.QUEUED:
        raise Conflict("order-not-accepted", "Beställningen är inte accepterad. Acceptera den först.")
