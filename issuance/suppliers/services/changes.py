"""Changes that suppliers learn of by reading: withdrawn orders, revoked cards, refused PUKs, changed card customisations.

Each function inserts rows in the transaction of the change that it records. Only the supplier concerned reads them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import PrintChange
from issuance.orders.domain.items import UNSENT
from issuance.orders.domain.order_states import UNDER_WAY
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.suppliers.domain import ChangeKind, ChangeReason
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.push.services import outbox
from siths_portal.lib import clock

_BATCH = 500


@dataclass(frozen=True)
class Subject:
    """What changed for a supplier, and why: an order, an item of it by its number, or a card customisation."""

    supplier_ref: str
    reason: str
    order_id: UUID | None = None
    item: int | None = None
    customisation_id: UUID | None = None


def record_change(kind: ChangeKind, subjects: Iterable[Subject]) -> None:
    """Inserts a change of `kind` for each subject that has a supplier, in the caller's transaction, and queues it for
    suppliers that are pushed to. Runs one statement for every 500.
    """
    now = clock.now()
    recorded = SupplierChange.objects.bulk_create(
        [
            SupplierChange(
                supplier_ref=subject.supplier_ref,
                kind=kind.value,
                order_id=subject.order_id,
                item=subject.item,
                customisation_id=subject.customisation_id,
                reason=subject.reason,
                occurred_at=now,
            )
            for subject in subjects
            if subject.supplier_ref
        ],
        batch_size=_BATCH,
    )
    outbox.add_changes(recorded)


def record_withdrawal(orders: Sequence[CardOrder], by_revocation: bool) -> None:
    """Records that locked orders are withdrawn: by the customer, or because their cards were revoked."""
    reason = ChangeReason.CARD_REVOKED if by_revocation else ChangeReason.WITHDRAWN
    record_change(ChangeKind.CANCELLED, (Subject(order.supplier_ref, reason.value, order.pk) for order in orders))


def record_revocation(carrier_ids: Sequence[UUID], only_eid: bool) -> None:
    """Records that carriers, or only an eID on them, are revoked, for those that a supplier has still to send, and for the PUK
    letters of revoked carriers.
    """
    reason = ChangeReason.EID_REVOKED if only_eid else ChangeReason.CARD_REVOKED
    concerned = Q(carrier__in=carrier_ids) if only_eid else Q(carrier__in=carrier_ids) | Q(puk_of__in=carrier_ids)
    items = OrderItem.objects.filter(concerned, state__in=UNSENT).order_by("order", "number")
    rows = items.values_list("order__supplier_ref", "order", "number")
    record_change(ChangeKind.REVOKED, [Subject(ref, reason.value, order_id, number) for ref, order_id, number in rows])


def record_refused_puk(item: OrderItem, refusal: str) -> None:
    """Records that the PUK of an item was refused, with the code of its refusal. Its supplier sends another."""
    record_change(ChangeKind.PUK_REFUSED, [Subject(item.order.supplier_ref, refusal, item.order_id, item.number)])


def record_customisation_change(row: CardCustomisation, change: PrintChange) -> None:
    """Records a change of a locked card customisation for its supplier, for the supplier before, and for each supplier that has
    orders of it under way.
    """
    orders = CardOrder.objects.filter(customisation=row, state__in=UNDER_WAY)
    reasons = dict.fromkeys(orders.order_by("supplier_ref").values_list("supplier_ref", flat=True).distinct(), _reason(change))
    if change.former_supplier == row.supplier_ref:
        reasons[row.supplier_ref] = _reason(change)
    else:
        reasons |= {change.former_supplier: ChangeReason.MOVED_AWAY, row.supplier_ref: ChangeReason.MOVED_HERE}
    subjects = [Subject(ref, reason.value, customisation_id=row.pk) for ref, reason in sorted(reasons.items())]
    record_change(ChangeKind.CUSTOMISATION_CHANGED, subjects)


def _reason(change: PrintChange) -> ChangeReason:
    """Returns the reason for a supplier that keeps its orders."""
    if change.verified:
        return ChangeReason.VERIFIED
    return ChangeReason.PRINT_CHANGED if change.printed else ChangeReason.UNVERIFIED
