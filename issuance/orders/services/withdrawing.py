"""Withdrawal of orders that no supplier has accepted. The packages above are told, in the transaction of the withdrawal."""

from collections.abc import Callable, Sequence

from issuance.orders.domain.order_states import OrderAction
from issuance.orders.models.orders import CardOrder
from issuance.records.services import steps
from siths_portal.lib.registry import Registry

ON_WITHDRAWAL = Registry[Callable[[Sequence[CardOrder], bool], None]]()
"""What the packages above do with withdrawn orders. The flag is True if the withdrawal follows a revocation of the card."""


def withdraw(orders: Sequence[CardOrder], *, actor_ref: str, revocation_reason: str = "") -> None:
    """Withdraws locked, queued orders in the caller's transaction. `revocation_reason` is set if their cards are revoked, and
    is a fact of the event. Raises IllegalTransition if a supplier has accepted one.
    """
    if not orders:
        return
    facts = {"reason": revocation_reason} if revocation_reason else None
    steps.step(orders, OrderAction.CANCEL, actor_ref=actor_ref, facts=facts)
    for follow in ON_WITHDRAWAL:
        follow(orders, bool(revocation_reason))
