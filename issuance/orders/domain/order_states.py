"""States and transitions of a card order, the outbox that suppliers fetch from."""

from collections.abc import Mapping
from enum import StrEnum


class OrderState(StrEnum):
    """The state of a card order. QUEUED waits for a supplier; FAILED, RETURNED and CANCELLED are final."""

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
    """The actions on a card order. All but CANCEL are the supplier's."""

    ACCEPT = "accepted"
    START_PRODUCTION = "production_started"
    PRODUCE = "produced"
    SEND = "sent"
    FAIL = "failed"
    RETURN = "returned"
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
}
