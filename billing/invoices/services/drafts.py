"""Drafts of documents: validated content as rows, which have no number yet and may be deleted."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.conf import settings

from billing.customers.models import BillingCustomer
from billing.documents import ubl, validation
from billing.documents.domain.invoices import InvoiceContent, NumberedInvoice
from billing.invoices.models import Invoice, InvoiceLine
from billing.records.domain import identifiers
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import DomainError, Unavailable


class Blocked(DomainError):
    """Raised if the customer cannot be invoiced yet. `reasons` are pairs of rule and Swedish sentence."""

    def __init__(self, reasons: Sequence[tuple[str, str]]) -> None:
        super().__init__("invoice-blocked", " ".join(message for _, message in reasons))
        self.reasons = list(reasons)


def draft_document(content: InvoiceContent) -> bytes:
    """Returns the UBL document of an invoice that is not issued, with a placeholder number and today's date."""
    today = clock.today()
    return ubl.build(NumberedInvoice("0", today, today, identifiers.ocr_reference(today.year, 1), content))


def require_valid(content: InvoiceContent) -> None:
    """Validates the invoice's document, with a placeholder number and today's date.

    Raises Blocked with every broken rule, or if the official rules cannot be run.
    """
    try:
        findings = validation.check(draft_document(content))
    except Unavailable as error:
        raise Blocked([(error.code, error.message)]) from error
    if findings:
        raise Blocked([(finding.rule, finding.message) for finding in findings])


def store(
    content: InvoiceContent,
    customer: BillingCustomer,
    *,
    run_id: UUID | None = None,
    corrects: Invoice | None = None,
    credited: Mapping[int, int] | None = None,
) -> Invoice:
    """Stores the content as a draft with its lines. The caller has validated it.

    A draft of a run has `run_id`. A credit note has no run: it has `corrects`, and `credited` with the id of the line that each
    position credits.
    """
    totals = content.totals
    invoice = Invoice.objects.create(
        run_id=run_id,
        customer=customer,
        party_id=customer.party_id,
        document_type=content.document_type.value,
        corrects=corrects,
        period=content.month.first_day,
        seller=content.seller.as_json(),
        buyer=content.buyer.as_json(),
        net=totals.net,
        vat=totals.vat,
        gross=totals.gross,
        rounding=totals.rounding,
        payable=totals.payable,
        content_sha256=content_hash(content),
        gate_version=validation.VERSION,
        program_version=settings.PROGRAM_VERSION,
        drafted_at=clock.now(),
    )
    InvoiceLine.objects.bulk_create(
        InvoiceLine(
            invoice=invoice,
            position=line.position,
            kind=line.kind,
            office_id=line.office_id,
            organisation_id=line.organisation_id,
            article_code=line.article_code,
            text=line.text,
            description=line.description,
            quantity=line.quantity,
            unit_price=line.unit_price,
            vat_rate=line.vat_rate,
            net=line.net,
            period=line.period.first_day,
            grouping_key=line.grouping_key,
            credits_id=(credited or {}).get(line.position),
        )
        for line in content.lines
    )
    return invoice


def content_hash(content: InvoiceContent) -> str:
    """Returns the SHA-256 of the invoice's content, without number, dates and payment reference."""
    return sha256_hex(canonical_json(content.as_json()))
