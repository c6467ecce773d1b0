"""States and transitions of a card order, the outbox that suppliers fetch from."""

from collections.abc import Mapping
from enum import StrEnum


class OrderState(StrEnum):
    """The state of a card order. QUEUED waits for a supplier; FAILED and CANCELLED are final. An officer may ask for a returned
    piece again, which queues the order.
    """

    QUEUED = "queued"
    ACCEPTED = "accepted"
    IN_PRODUCTION = "in_production"
    PRODUCED = "produced"
    SENT = "sent"
    FAILED = "failed"
    RETURNED = "returned"
    CANCELLED = "cancelled"


UNDER_WAY = [state.value for state in (OrderState.QUEUED, OrderState.ACCEPTED, OrderState.IN_PRODUCTION, OrderState.PRODUCED)]
"""States of orders that are neither sent nor ended."""


class OrderAction(StrEnum):
    """The actions on a card order. All are the supplier's but CANCEL, and REMAKE of an order that was sent."""

    ACCEPT = "accepted"
    START_PRODUCTION = "production_started"
    PRODUCE = "produced"
    SEND = "sent"
    FAIL = "failed"
    RETURN = "returned"
    REMAKE = "remade"
    CANCEL = "cancelled"


TRANSITIONS: Mapping[tuple[OrderState, OrderAction], OrderState] = {
    (OrderState.QUEUED, OrderAction.ACCEPT): OrderState.ACCEPTED,
    (OrderState.QUEUED, OrderAction.CANCEL): OrderState.CANCELLED,
    (OrderState.ACCEPTED, OrderAction.START_PRODUCTION): OrderState.IN_PRODUCTION,
    (OrderState.ACCEPTED, OrderAction.FAIL): OrderState.FAILED,
    (OrderState.IN_PRODUCTION, OrderAction.PRODUCE): OrderState.PRODUCED,
    (OrderState.IN_PRODUCTION, OrderAction.FAIL): OrderState.FAILED,
    (OrderState.PRODUCED, OrderAction.SEND): OrderState.SENT,
    (OrderState.PRODUCED, OrderAction.FAIL): OrderState.FAILED,
    (OrderState.SENT, OrderAction.RETURN): OrderState.RETURNED,
    (OrderState.ACCEPTED, OrderAction.REMAKE): OrderState.ACCEPTED,
    (OrderState.IN_PRODUCTION, OrderAction.REMAKE): OrderState.ACCEPTED,
    (OrderState.PRODUCED, OrderAction.REMAKE): OrderState.ACCEPTED,
    (OrderState.SENT, OrderAction.REMAKE): OrderState.QUEUED,
    (OrderState.RETURNED, OrderAction.REMAKE): OrderState.QUEUED,
}
