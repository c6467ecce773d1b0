"""Tells the packages above that an order is queued for its supplier, in the transaction that queues it."""

from collections.abc import Callable

from issuance.orders.models.orders import CardOrder
from siths_portal.lib.registry import Registry

ON_QUEUE = Registry[Callable[[CardOrder], None]]()
"""What the packages above do with an order that is placed, or queued again because its card came back."""


def queued(order: CardOrder) -> None:
    """Tells the packages above of a queued order, in the caller's transaction."""
    for follow in ON_QUEUE:
        follow(order)
