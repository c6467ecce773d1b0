"""Reads an invoice's content back from its frozen rows, for files, exports and reconciliation."""

from collections import defaultdict
from collections.abc import Collection
from typing import cast
from uuid import UUID

from billing.documents.domain.invoices import (
    Buyer,
    DocumentType,
    InvoiceContent,
    LineContent,
    NumberedInvoice,
    PrecedingInvoice,
    Seller,
    Totals,
    total,
)
from billing.invoices.models import Invoice, InvoiceLine
from billing.records.domain.periods import Month

_COLUMNS = (
    "invoice", "position", "kind", "office_id", "organisation_id", "article_code", "text", "quantity", "unit_price", "vat_rate",
    "net", "period", "grouping_key", "description",
)  # fmt: skip
_PERIOD = _COLUMNS.index("period") - 1  # after the key
Lines = tuple[LineContent, ...]


def lines_of(keys: Collection[UUID]) -> dict[UUID, Lines]:
    """Returns the lines of the invoices with these keys, without a model instance for each: a check reads those of years."""
    found: dict[UUID, list[LineContent]] = defaultdict(list)
    rows = InvoiceLine.objects.filter(invoice__in=keys).order_by("invoice", "position").values_list(*_COLUMNS)
    for key, *values in rows:
        values[_PERIOD] = Month.of_day(values[_PERIOD])
        found[key].append(LineContent(*values))
    return {key: tuple(found[key]) for key in keys}


def content_of(invoice: Invoice, lines: Lines | None = None) -> InvoiceContent:
    """Returns the content of the invoice. The caller prefetches `lines`, or gives them.

    The totals are the stored ones; only the VAT subtotals are summed from the lines, since no column holds them.
    """
    buyer = Buyer.from_json(invoice.buyer)
    if lines is None:
        lines = tuple(_line(line) for line in sorted(invoice.lines.all(), key=lambda line: line.position))
    subtotals = total(lines, round_to_krona=buyer.round_to_krona).subtotals
    return InvoiceContent(
        seller=Seller.from_json(invoice.seller),
        buyer=buyer,
        month=Month.of_day(invoice.period),
        lines=lines,
        totals=Totals(invoice.net, invoice.vat, invoice.gross, invoice.rounding, invoice.payable, subtotals),
        document_type=DocumentType(invoice.document_type),
        preceding=_preceding(invoice.corrects),
    )


def numbered(invoice: Invoice, lines: Lines | None = None) -> NumberedInvoice:
    """Returns the content with number, dates and payment reference. Raises ValueError for a draft."""
    if invoice.number is None or invoice.issue_date is None or invoice.due_date is None:
        raise ValueError("a draft has no number")
    return NumberedInvoice(
        number=invoice.number,
        issue_date=invoice.issue_date,
        due_date=invoice.due_date,
        payment_reference=cast(str, invoice.payment_reference),
        content=content_of(invoice, lines),
    )


def _preceding(corrected: Invoice | None) -> PrecedingInvoice | None:
    if corrected is None:
        return None
    if corrected.number is None or corrected.issue_date is None:
        raise ValueError("only an issued invoice can be corrected")
    return PrecedingInvoice(corrected.number, corrected.issue_date)


def _line(line: InvoiceLine) -> LineContent:
    return LineContent(
        position=line.position,
        kind=line.kind,
        office_id=line.office_id,
        organisation_id=line.organisation_id,
        article_code=line.article_code,
        text=line.text,
        quantity=line.quantity,
        unit_price=line.unit_price,
        vat_rate=line.vat_rate,
        net=line.net,
        period=Month.of_day(line.period),
        grouping_key=line.grouping_key,
        description=line.description,
    )
