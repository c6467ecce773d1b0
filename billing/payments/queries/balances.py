"""What remains to pay of invoices: the sum to pay, less credit notes, less allocated payments."""

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import DecimalField, Exists, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from billing.documents.domain.invoices import DocumentType
from billing.invoices.models import Invoice, InvoiceState
from billing.invoices.queries.settlement import Paid, Settlement
from billing.payments.models import Dispute, PaymentAllocation
from siths_portal.lib import clock

ZERO = Decimal("0.00")
_AMOUNT: "DecimalField[Decimal, Decimal]" = DecimalField(max_digits=14, decimal_places=2)


def issued_invoices() -> QuerySet[Invoice]:
    """Returns the invoices that can be paid: issued ones, not credit notes."""
    return Invoice.objects.filter(state=InvoiceState.ISSUED, document_type=DocumentType.INVOICE.value)


def paid_by_invoice(invoice_ids: Collection[UUID]) -> dict[UUID, Decimal]:
    """Returns what payments pay of these invoices. Leaves out invoices without payments."""
    rows = PaymentAllocation.objects.filter(invoice_id__in=invoice_ids).order_by()
    return dict(rows.values_list("invoice_id").annotate(Sum("amount")))


def credited_by_invoice(invoice_ids: Collection[UUID]) -> dict[UUID, Decimal]:
    """Returns what credit notes credit of these invoices. Leaves out invoices without credit notes."""
    notes = Invoice.objects.filter(corrects_id__in=invoice_ids, state=InvoiceState.ISSUED).order_by()
    return dict(notes.values_list("corrects_id").annotate(Sum("payable")))


def disputed() -> Exists:
    """Returns the condition that an invoice has an open dispute."""
    return Exists(Dispute.objects.filter(invoice=OuterRef("pk"), closed_at=None))


def disputed_of(invoice_ids: Collection[UUID]) -> set[UUID]:
    """Returns which of these invoices have an open dispute."""
    return set(Dispute.objects.filter(invoice_id__in=invoice_ids, closed_at=None).values_list("invoice_id", flat=True))


def of(invoices: Sequence[Invoice]) -> Mapping[UUID, Settlement]:
    """See `Settlements`."""
    payable = [invoice for invoice in invoices if invoice.document_type == DocumentType.INVOICE]
    ids = [invoice.pk for invoice in payable]
    paid, credited, objected = (paid_by_invoice(ids), credited_by_invoice(ids), disputed_of(ids)) if ids else ({}, {}, set())
    today, found = clock.today(), {}
    for invoice in payable:
        remaining = invoice.payable - paid.get(invoice.pk, ZERO) - credited.get(invoice.pk, ZERO)
        overdue = remaining > 0 and invoice.due_date is not None and invoice.due_date < today
        sums = (paid.get(invoice.pk, ZERO), credited.get(invoice.pk, ZERO), remaining)
        found[invoice.pk] = Settlement(*sums, overdue, invoice.pk in objected)
    return found


def with_remaining(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Returns the invoices that can be paid, with `remaining`."""
    payable = invoices.filter(state=InvoiceState.ISSUED, document_type=DocumentType.INVOICE.value)
    paid = PaymentAllocation.objects.filter(invoice=OuterRef("pk")).order_by().values("invoice")
    notes = Invoice.objects.filter(corrects=OuterRef("pk"), state=InvoiceState.ISSUED).order_by().values("corrects")
    return payable.annotate(
        remaining=F("payable")
        - Coalesce(Subquery(paid.annotate(sum=Sum("amount")).values("sum")), Value(ZERO), output_field=_AMOUNT)
        - Coalesce(Subquery(notes.annotate(sum=Sum("payable")).values("sum")), Value(ZERO), output_field=_AMOUNT)
    )


def narrow(invoices: QuerySet[Invoice], paid: Paid) -> QuerySet[Invoice]:
    """See `Settlements`."""
    found = with_remaining(invoices)
    if paid is Paid.DISPUTED:
        return found.filter(disputed())
    if paid is Paid.PAID:
        return found.filter(remaining__lte=0)
    unpaid = found.filter(remaining__gt=0)
    return unpaid.filter(due_date__lt=clock.today()) if paid is Paid.OVERDUE else unpaid
