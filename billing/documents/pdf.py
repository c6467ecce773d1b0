"""The readable copy of an invoice: a tagged PDF/A-3a in Swedish with the UBL document attached (see `lib.pdf.rendering`)."""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from importlib.metadata import version
from itertools import groupby
from types import TracebackType
from typing import Any, Self

from django.template.loader import render_to_string

from billing.documents.domain.invoices import DocumentType, LineContent, NumberedInvoice
from billing.documents.ubl import F_TAX, payment_terms
from billing.records.domain import identifiers, money
from billing.records.domain.periods import Month
from siths_portal.lib.pdf import rendering
from siths_portal.lib.pdf.conformance import has_attached, judge
from siths_portal.lib.pdf.rendering import MEDIA_TYPE, text

__all__ = ["MEDIA_TYPE", "VERSION", "PdfRenderer", "context", "has_attached", "html", "judge", "payable_text", "text"]

VERSION = f"pdf/5 weasyprint/{version('weasyprint')}"
"""The renderer's version, stored with each file. Increment the first number with each change of template, stylesheet or child."""

_TITLES = {DocumentType.INVOICE: "Faktura", DocumentType.CREDIT_NOTE: "Kreditfaktura"}
PAYABLE = {DocumentType.INVOICE: "Att betala", DocumentType.CREDIT_NOTE: "Att kreditera"}
"""The name of the sum (BT-115) by document type."""

LINES_ON_PAPER = 1000
"""A longer invoice shows sums by article and price in the PDF: WeasyPrint keeps every cell in memory, 995 MiB for 5,000 lines."""


class PdfRenderer:
    """A context manager that renders invoices one after the other in one child process (see `lib.pdf.rendering`)."""

    def __init__(self) -> None:
        self._renderer = rendering.PdfRenderer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._renderer.close()

    def render(self, invoice: NumberedInvoice, xml: bytes) -> bytes:
        """Returns the PDF of `invoice` with `xml` attached. The same input gives the same bytes. Raises Unavailable."""
        source = rendering.PdfSource(
            html=html(invoice),
            attached=xml,
            name=f"{invoice.number}.xml",
            description="Fakturan i Peppol BIS Billing 3.0 (UBL 2.1)",
            day=invoice.issue_date.isoformat(),
        )
        return self._renderer.render(source)


def payable_text(content: bytes) -> str:
    """Returns the amount after its name in the PDF's text, with no-break spaces; empty if the text has no such amount."""
    found = re.search(
        rf"(?:{'|'.join(PAYABLE.values())})\s+(-?[0-9 \u00a0]+,[0-9]{{2}}) kr", text(content).replace(money.NO_BREAK_SPACE, " ")
    )
    return f"{found[1].replace(' ', money.NO_BREAK_SPACE)} kr" if found else ""


def html(invoice: NumberedInvoice) -> str:
    """Returns the invoice as one self-contained HTML page. The template escapes all texts."""
    return render_to_string("billing/invoice.html", context(invoice))


def context(invoice: NumberedInvoice) -> dict[str, Any]:
    """Returns the template's context, with amounts in Swedish form with no-break spaces."""
    content = invoice.content
    seller, totals = content.seller, content.totals
    return {
        "number": invoice.number,
        "title": _TITLES[content.document_type],
        "credited": content.preceding.number if content.preceding else "",
        "credited_on": content.preceding.issue_date.isoformat() if content.preceding else "",
        "payable_name": PAYABLE[content.document_type],
        "seller": seller,
        "seller_number": identifiers.organisation_number_printed(seller.organisation_number),
        "f_tax": F_TAX,
        "buyer": content.buyer,
        "buyer_number": identifiers.organisation_number_printed(content.buyer.organisation_number),
        "issue_date": invoice.issue_date.isoformat(),
        "due_date": invoice.due_date.isoformat(),
        "period": f"{content.period_start.isoformat()} – {content.period_end.isoformat()}",
        "heading": content.note,
        "payment_terms": payment_terms(content.buyer.payment_terms_days),
        "bankgiro": identifiers.bankgiro_printed(seller.bankgiro),
        "payment_reference": invoice.payment_reference,
        "iban": identifiers.iban_printed(seller.iban),
        "groups": _groups(_printed(content.lines), content.month),
        "summed": money.swedish(Decimal(len(content.lines)), decimals=0) if len(content.lines) > LINES_ON_PAPER else "",
        "net": money.swedish(totals.net),
        "subtotals": [
            {
                "rate": money.swedish(each.rate, decimals=0),
                "base": money.swedish(each.base),
                "vat": money.swedish(each.vat),
            }
            for each in totals.subtotals
        ],
        "rounding": money.swedish(totals.rounding) if totals.rounding else "",
        "gross": money.swedish(totals.gross),
        "payable": money.swedish(totals.payable),
    }


def _printed(lines: Sequence[LineContent]) -> Sequence[LineContent]:
    """Returns the lines, or beyond LINES_ON_PAPER one sum for each kind, article, price and VAT rate, in order of first use."""
    if len(lines) <= LINES_ON_PAPER:
        return lines
    groups: dict[tuple[str, str, Decimal, Decimal], list[LineContent]] = {}
    for line in lines:
        groups.setdefault((line.kind, line.article_code, line.unit_price, line.vat_rate), []).append(line)
    return [_summed(group) for group in groups.values()]


def _summed(lines: Sequence[LineContent]) -> LineContent:
    count = money.swedish(Decimal(len(lines)), decimals=0)
    return replace(
        lines[0],
        text=f"Summa av {count} rader" if len(lines) > 1 else lines[0].text,
        quantity=sum((line.quantity for line in lines), Decimal(0)),
        net=sum((line.net for line in lines), Decimal(0)),
    )


def _groups(lines: Sequence[LineContent], month: Month) -> list[dict[str, Any]]:
    """Returns the lines by office, or by kind, each group with its heading and sum."""
    found = []
    for (_office, heading), members in groupby(lines, key=lambda line: (line.office_id, _heading(line))):
        group = list(members)
        net = sum((line.net for line in group), Decimal(0))
        found.append({"heading": heading, "net": money.swedish(net), "rows": [_row(line, month) for line in group]})
    return found


def _heading(line: LineContent) -> str:
    """Returns the invoice comment of the line's office as it was frozen, or what lines without an office bill."""
    if line.office_id is None:
        return line.declaration.heading
    return line.text.removesuffix(f", avser {line.period}").partition(", ")[2] or line.declaration.heading


def _row(line: LineContent, month: Month) -> dict[str, str]:
    described = line.description if line.period == month else f"{line.description}, avser {line.period}"
    return {
        "article": line.article_code,
        "text": described if line.description else line.text,
        "quantity": money.swedish(line.quantity, decimals=0),
        "unit": line.declaration.unit_name,
        "unit_price": money.swedish(line.unit_price),
        "vat_rate": money.swedish(line.vat_rate, decimals=0),
        "net": money.swedish(line.net),
    }
