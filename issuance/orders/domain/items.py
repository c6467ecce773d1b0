"""Order items: what an order asks a supplier to make, the states of an item, and the state of the order that follows from them.

One declaration of each kind holds everything in which a kind differs.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

from issuance.orders.domain.order_states import OrderAction, OrderState


class ItemState(StrEnum):
    """The state of an item. WAITING until its supplier begins; FAILED, REMADE, RETURNED and CANCELLED are final. REMADE means
    that it was spoilt and another item is made in its place, which may have to be added first.
    """

    WAITING = "waiting"
    IN_PRODUCTION = "in_production"
    PRODUCED = "produced"
    SENT = "sent"
    FAILED = "failed"
    REMADE = "remade"
    RETURNED = "returned"
    CANCELLED = "cancelled"


UNSENT = [state.value for state in (ItemState.WAITING, ItemState.IN_PRODUCTION, ItemState.PRODUCED)]
"""States of items that are neither sent nor ended."""


DISPATCHED = [state.value for state in (ItemState.SENT, ItemState.FAILED, ItemState.REMADE)]
"""States of items that leave with an order when it is sent: sent ones, and those that were spoilt before."""


class ItemAction(StrEnum):
    """The actions on an item. All but CANCEL are the supplier's."""

    START_PRODUCTION = "production_started"
    PRODUCE = "produced"
    SEND = "sent"
    FAIL = "failed"
    REMAKE = "remade"
    RETURN = "returned"
    CANCEL = "cancelled"


class Fault(StrEnum):
    """Whose fault it is that a piece is made again. It is free only if it is the supplier's."""

    SUPPLIER = "supplier"
    OTHER = "other"


_S, _A = ItemState, ItemAction
TRANSITIONS: Mapping[tuple[ItemState, ItemAction], ItemState] = {
    (_S.WAITING, _A.START_PRODUCTION): _S.IN_PRODUCTION,
    (_S.WAITING, _A.CANCEL): _S.CANCELLED,
    (_S.WAITING, _A.FAIL): _S.FAILED,
    (_S.IN_PRODUCTION, _A.PRODUCE): _S.PRODUCED,
    (_S.IN_PRODUCTION, _A.FAIL): _S.FAILED,
    (_S.IN_PRODUCTION, _A.REMAKE): _S.REMADE,
    (_S.PRODUCED, _A.SEND): _S.SENT,
    (_S.PRODUCED, _A.FAIL): _S.FAILED,
    (_S.PRODUCED, _A.REMAKE): _S.REMADE,
    (_S.SENT, _A.RETURN): _S.RETURNED,
}
"""The transitions of every kind. Production begins when the certificates of a card are requested, or when the PUK of a letter is
handed out."""


@dataclass(frozen=True)
class ItemKind:
    """A kind of item. `makes_carrier` means that the item is a new carrier, which no other item orders, and gets certificates
    before it is produced; the others carry the PUK of a carrier in use. `name` is the kind in the supplier API.
    """

    code: str
    name: str
    makes_carrier: bool


CARD = ItemKind("card", "card", makes_carrier=True)
RESERVE_CARD = ItemKind("reserve_card", "reserve_card", makes_carrier=True)
LETTER = ItemKind("letter", "puk_letter", makes_carrier=False)

ITEM_KINDS = {kind.code: kind for kind in (CARD, RESERVE_CARD, LETTER)}
"""Every kind by its code. A bundle of reserve cards is an order of many items, each a card of its own."""

_WAY = (
    (ItemState.IN_PRODUCTION, OrderState.IN_PRODUCTION, OrderAction.START_PRODUCTION),
    (ItemState.PRODUCED, OrderState.PRODUCED, OrderAction.PRODUCE),
    (ItemState.SENT, OrderState.SENT, OrderAction.SEND),
)
_COURSE = (ItemState.WAITING, *(item for item, _order, _action in _WAY))
_BEHIND = {OrderState.ACCEPTED: 0} | {order: place for place, (_item, order, _action) in enumerate(_WAY, start=1)}


def actions_of_order(state: OrderState, items: Collection[ItemState]) -> list[OrderAction]:
    """Returns the actions that bring an order in `state` to where all its items are, given the states of its items, without
    those in whose place there is another.

    An order has reached a state when each item that is neither failed nor returned has. It is FAILED or RETURNED when no other
    item is left; RETURNED if one was sent. For a REMADE item another is about to be added.
    """
    left = [_COURSE.index(item) for item in items if item in _COURSE]
    left += [0] if ItemState.REMADE in items else []
    if left:
        behind = _BEHIND.get(state, len(_WAY))
        return [action for _item, _order, action in _WAY[behind : min(left)]]
    if ItemState.RETURNED in items:
        return [*(action for _item, _order, action in _WAY[_BEHIND.get(state, len(_WAY)) :]), OrderAction.RETURN]
    return [OrderAction.FAIL] if ItemState.FAILED in items else []
