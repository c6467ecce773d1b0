"""What remains to pay of invoices: the sum to pay, less credit notes, less allocated payments."""

from collections.abc import Collection
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


def disputed() -> Exists:
    """Returns the condition that an invoice has an open dispute."""
    return Exists(Dispute.objects.filter(invoice=OuterRef("pk"), closed_at=None))


def with_sums(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """See `Settlements`."""
    paid = PaymentAllocation.objects.filter(invoice=OuterRef("pk")).order_by().values("invoice")
    notes = Invoice.objects.filter(corrects=OuterRef("pk"), state=InvoiceState.ISSUED).order_by().values("corrects")
    return invoices.annotate(
        paid=Coalesce(Subquery(paid.annotate(sum=Sum("amount")).values("sum")), Value(ZERO), output_field=_AMOUNT),
        credited=Coalesce(Subquery(notes.annotate(sum=Sum("payable")).values("sum")), Value(ZERO), output_field=_AMOUNT),
        disputed=disputed(),
    )


def of(invoice: Any) -> Settlement | None:
    """See `Settlements`."""
    if invoice.document_type != DocumentType.INVOICE:
        return None
    remaining = invoice.payable - invoice.paid - invoice.credited
    overdue = remaining > 0 and invoice.due_date is not None and invoice.due_date < clock.today()
    return Settlement(invoice.paid, invoice.credited, remaining, overdue, invoice.disputed)


def settlements(invoice_ids: Collection[UUID]) -> dict[UUID, Settlement]:
    """Returns the settlements of these invoices, by one query. Leaves out credit notes."""
    rows = with_sums(issued_invoices().filter(pk__in=invoice_ids))
    return {row.pk: found for row in rows if (found := of(row))}


def with_remaining(invoices: QuerySet[Invoice]) -> QuerySet[Any]:
    """Returns the invoices that can be paid, with `remaining`."""
    payable = invoices.filter(state=InvoiceState.ISSUED, document_type=DocumentType.INVOICE.value)
    found: QuerySet[Any] = with_sums(payable).annotate(remaining=F("payable") - F("paid") - F("credited"))
    return found


def narrow(invoices: QuerySet[Invoice], paid: Paid) -> QuerySet[Any]:
    """See `Settlements`."""
    found = with_remaining(invoices)
    if paid is Paid.DISPUTED:
        return found.filter(disputed=True)
    if paid is Paid.PAID:
        return found.filter(remaining__lte=0)
    unpaid = found.filter(remaining__gt=0)
    return unpaid.filter(due_date__lt=clock.today()) if paid is Paid.OVERDUE else unpaid
