"""Payments as the pages of finance show them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import DecimalField, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from billing.invoices.models import Invoice
from billing.payments.models import Payment, PaymentAllocation
from billing.payments.queries import balances
from issuance.authz import Action, Actor, policy
from siths_portal.lib.lists import Rows

ACTION = Action.MANAGE_BILLING
_SUGGESTED = 5
_AMOUNT: "DecimalField[Decimal, Decimal]" = DecimalField(max_digits=14, decimal_places=2)


@dataclass(frozen=True)
class PaymentRow:
    """A payment in the list. `numbers` are the invoices that it pays; `paid_back` is what goes back to the payer."""

    id: UUID
    booked_on: dt.date
    amount: Decimal
    references: str
    payer: str
    numbers: tuple[str, ...]
    unallocated: Decimal
    paid_back: bool


@dataclass(frozen=True)
class AllocationRow:
    """An allocation of a payment. `number` is empty if the amount is paid back, `undone` if another row takes it back."""

    id: UUID
    number: str
    amount: Decimal
    reason: str
    made_at: dt.datetime
    by_hand: bool
    undoes: bool
    undone: bool


@dataclass(frozen=True)
class PaymentView:
    """A payment with its allocations, the oldest first, and the unpaid invoices of which exactly what is left of it remains."""

    row: PaymentRow
    entry_reference: str
    allocations: tuple[AllocationRow, ...]
    suggested: tuple[tuple[str, str], ...]
    """Number and customer of each."""


@dataclass(frozen=True)
class InvoicePayment:
    """A payment of an invoice, as the invoice's page shows it. Readers at the customer see no reason and no payer."""

    payment_id: UUID
    booked_on: dt.date
    amount: Decimal


def unallocated() -> QuerySet[Payment]:
    """Returns the payments of which something is not allocated."""
    return _with_unallocated().filter(unallocated__gt=0)


def unallocated_count() -> int:
    """Returns how many payments finance has to allocate."""
    return unallocated().count()


def rows(actor: Actor, *, waiting: bool | None = None) -> Rows[Payment, PaymentRow]:
    """Returns the payments, all or those that wait to be allocated or do not. Raises Forbidden."""
    policy.require_global(actor, ACTION)
    found = _with_unallocated()
    if waiting is not None:
        found = found.filter(unallocated__gt=0) if waiting else found.filter(unallocated__lte=0)
    return Rows(found, _rows)


def view(actor: Actor, payment_id: UUID) -> PaymentView:
    """Returns one payment. Raises Forbidden and NotFound."""
    policy.require_global(actor, ACTION)
    payment = _with_unallocated().filter(pk=payment_id).first()
    if payment is None:
        raise policy.not_found()
    made = PaymentAllocation.objects.filter(payment=payment).select_related("invoice").order_by("made_at", "pk")
    taken_back = {each.undoes_id for each in made}
    allocations = tuple(
        AllocationRow(
            id=each.pk,
            number=(each.invoice.number or "") if each.invoice else "",
            amount=each.amount,
            reason=each.reason,
            made_at=each.made_at,
            by_hand=bool(each.reason),
            undoes=each.undoes_id is not None,
            undone=each.pk in taken_back,
        )
        for each in made
    )
    (row,) = _rows([payment])
    return PaymentView(row, payment.entry_reference, allocations, _suggested(row.unallocated))


def of_invoice(number: str) -> list[InvoicePayment]:
    """Returns the payments of an invoice that the caller has found for its reader, by day."""
    made = PaymentAllocation.objects.filter(invoice__number=number).order_by("payment__booked_on", "payment_id")
    paid = made.values_list("payment_id", "payment__booked_on").annotate(paid=Sum("amount")).filter(paid__gt=0)
    return [InvoicePayment(*row) for row in paid]


def _with_unallocated() -> QuerySet[Any]:
    made = PaymentAllocation.objects.filter(payment=OuterRef("pk")).order_by().values("payment")
    allocated = Subquery(made.annotate(sum=Sum("amount")).values("sum"))
    return Payment.objects.annotate(
        unallocated=F("amount") - Coalesce(allocated, Value(balances.ZERO), output_field=_AMOUNT)
    )  # fmt: skip


def _rows(found: Sequence[Any]) -> list[PaymentRow]:
    made = PaymentAllocation.objects.filter(payment__in=[payment.pk for payment in found]).order_by()
    numbers: dict[UUID, list[str]] = {}
    pairs = made.values_list("payment_id", "invoice__number").annotate(sum=Sum("amount")).filter(sum__gt=0)
    for payment_id, number, _sum in pairs:
        numbers.setdefault(payment_id, []).append(number or "")
    return [
        PaymentRow(
            id=payment.pk,
            booked_on=payment.booked_on,
            amount=payment.amount,
            references=payment.references,
            payer=payment.payer,
            numbers=tuple(sorted(filter(None, numbers.get(payment.pk, [])))),
            unallocated=payment.unallocated,
            paid_back="" in numbers.get(payment.pk, []),
        )
        for payment in found
    ]


def _suggested(amount: Decimal) -> tuple[tuple[str, str], ...]:
    if amount <= 0:
        return ()
    same = balances.with_remaining(Invoice.objects.all()).filter(remaining=amount).order_by("number")[:_SUGGESTED]
    return tuple((invoice.number or "", invoice.buyer["name"]) for invoice in same)
