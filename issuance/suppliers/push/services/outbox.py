"""The outbox: which orders and changes are to be sent. A row is inserted in the transaction of what it sends."""

from collections.abc import Collection, Sequence

from django.db.models import Exists, OuterRef

from authn import service as authn
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.push.models import PushDelivery, PushState
from siths_portal.lib import clock
from siths_portal.lib.processes import jobs

_BATCH = 500


def add_order(order: CardOrder) -> None:
    """Adds the outbox row of an order that the caller's transaction places, if its supplier is pushed to."""
    if order.supplier_ref in authn.push_endpoints():
        now = clock.now()
        PushDelivery.objects.create(supplier_ref=order.supplier_ref, order=order, queued_at=now, next_at=now)
        wake(order.supplier_ref)


def add_changes(changes: Sequence[SupplierChange]) -> None:
    """Adds the outbox rows of changes that the caller's transaction records, for suppliers that are pushed to."""
    endpoints = authn.push_endpoints() if changes else {}
    told = [change for change in changes if change.supplier_ref in endpoints]
    now = clock.now()
    PushDelivery.objects.bulk_create(
        [PushDelivery(supplier_ref=each.supplier_ref, change=each, queued_at=now, next_at=now) for each in told],
        batch_size=_BATCH,
    )
    for client_ref in sorted({each.supplier_ref for each in told}):
        wake(client_ref)


def add_missing(client_refs: Collection[str]) -> int:
    """Adds the outbox rows of queued orders that have none, for these suppliers, and returns how many.

    Those are the orders that a supplier had when it began to take them by calls, those of a customisation that got its first
    supplier, and those that are queued again because their card came back.
    """
    now = clock.now()
    open_ones = PushDelivery.objects.filter(order=OuterRef("pk"), state__in=[PushState.WAITING, PushState.DEAD])
    queued = CardOrder.objects.filter(~Exists(open_ones), supplier_ref__in=client_refs, state=OrderState.QUEUED.value)
    rows = [
        PushDelivery(supplier_ref=order.supplier_ref, order=order, queued_at=now, next_at=now)
        for order in queued.only("id", "supplier_ref").order_by("pk")[:_BATCH]
    ]
    PushDelivery.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def wake(client_ref: str) -> None:
    """Wakes the suppliers' worker for this supplier when the caller's transaction commits."""
    jobs.enqueue("issuance.push_to", queue="suppliers", slug=client_ref)


def wake_reconciliation(client_ref: str) -> None:
    """Wakes the comparison with this supplier."""
    jobs.enqueue("issuance.reconcile_supplier", queue="suppliers", slug=client_ref)
