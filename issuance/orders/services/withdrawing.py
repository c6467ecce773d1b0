"""Withdrawal of orders that no supplier has accepted. Tells the packages above in the same transaction."""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from issuance.carriers.domain.carrier_states import CarrierState
from issuance.orders.domain.items import ItemAction, ItemState
from issuance.orders.domain.order_states import OrderAction, OrderState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import progress
from issuance.records.models.events import Event
from issuance.records.services import steps
from siths_portal.lib.registry import Registry

ON_WITHDRAWAL = Registry[Callable[[Sequence[CardOrder], bool], None]]()
"""What the packages above do with withdrawn orders. The flag is True if the withdrawal follows a revocation of the card."""


def withdraw(orders: Sequence[CardOrder], *, actor_ref: str, revocation_reason: str = "") -> None:
    """Withdraws locked, queued orders with their items in the caller's transaction. `revocation_reason` is set if their cards
    are revoked, and is a fact of the events. Raises IllegalTransition if a supplier has accepted one.
    """
    if not orders:
        return
    facts = {"reason": revocation_reason} if revocation_reason else {}
    steps.step(orders, OrderAction.CANCEL, actor_ref=actor_ref, facts=facts)
    items = list(OrderItem.objects.filter(order__in=orders, state=ItemState.WAITING.value).order_by("pk"))
    steps.step(items, ItemAction.CANCEL, actor_ref=actor_ref, facts=lambda item: progress.item_facts(item) | facts)
    for follow in ON_WITHDRAWAL:
        follow(orders, bool(revocation_reason))


def withdraw_letters(carrier_id: UUID, *, actor_ref: str, transaction_id: UUID) -> None:
    """Withdraws the PUK letter of a locked card that no supplier has accepted, in the caller's transaction: its holder has chosen
    a new code in this eID app transaction. A letter that a supplier has accepted still comes.
    """
    queued = CardOrder.objects.filter(
        state=OrderState.QUEUED.value, pk__in=OrderItem.objects.filter(puk_of=carrier_id).values("order")
    )
    orders = list(queued.select_for_update(of=("self",), no_key=True).order_by("id"))
    withdraw(orders, actor_ref=actor_ref)
    for order in orders:
        Event.record(
            actor_ref=actor_ref,
            action="carrier.puk_letter_withdrawn",
            subject_type="carrier",
            subject_ref=str(carrier_id),
            facts={"order": str(order.pk), "transaction": str(transaction_id)},
        )


def lock_orders_without_cards(carrier_ids: Sequence[UUID]) -> list[CardOrder]:
    """Locks and returns the queued orders that have nothing left to make once these carriers end, PUK letters of them included. A
    bundle with other cards stays in the queue.
    """
    waiting = OrderItem.objects.filter(state=ItemState.WAITING.value)
    ending = waiting.filter(Q(carrier__in=carrier_ids) | Q(puk_of__in=carrier_ids))
    others = waiting.filter(order=OuterRef("pk"), carrier__state=CarrierState.ORDERED.value).exclude(carrier__in=carrier_ids)
    rows = CardOrder.objects.filter(state=OrderState.QUEUED.value, pk__in=ending.values("order"))
    return list(rows.exclude(Exists(others)).select_for_update(of=("self",), no_key=True).order_by("id"))
