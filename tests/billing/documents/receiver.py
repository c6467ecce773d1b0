"""A receiver of our e-invoices: a UBL reader by others (`eu-einvoice`, a development package) reads the stored bytes.

What it reads is compared with the rows of the database, and with nothing that our own writer or reader of UBL has made.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from eu_einvoice.parse import parse_ubl
from lxml import etree

from billing.invoices.models import FileFormat, Invoice, InvoiceFile, InvoiceLine

D = Decimal


def received(xml: bytes) -> dict[str, Any]:
    """The business terms that a receiver's program reads."""
    read, remarks = parse_ubl(etree.fromstring(xml))
    assert not remarks
    found: dict[str, Any] = read
    return found


def misread(invoice: Invoice, xml: bytes) -> Iterator[str]:
    """Every business term in which a receiver understands something else than the rows say, with both values."""
    read = received(xml)
    parts = [(_head(invoice), _head_read(read)), (_sums(invoice), _sums_read(read))]
    parts += [(_seller(invoice.seller), _party_read(read["seller"])), (_buyer(invoice.buyer), _party_read(read["buyer"]))]
    rows = list(invoice.lines.order_by("position"))
    if len(rows) != len(read["lines"]):
        yield f"{len(rows)} lines, read {len(read['lines'])}"
    parts += [(_line(row), _line_read(line)) for row, line in zip(rows, read["lines"], strict=False)]
    for expected, seen in parts:
        for name, value in expected.items():
            if seen[name] != value:
                yield f"{name}: {value!r}, read {seen[name]!r}"


def misread_documents() -> list[str]:
    """What `misread` finds in the stored e-invoices, with their numbers."""
    files = InvoiceFile.objects.filter(file_format=FileFormat.PEPPOL).select_related("invoice__corrects", "document")
    return [f"{file.invoice.number} {each}" for file in files for each in misread(file.invoice, bytes(file.document.content))]


def _head(invoice: Invoice) -> dict[str, Any]:
    corrected, buyer, seller = invoice.corrects, invoice.buyer, invoice.seller
    return {
        "number": invoice.number,
        "type": invoice.document_type,
        "issued": invoice.issue_date.isoformat(),
        "due": invoice.due_date.isoformat(),
        "currency": "SEK",
        "preceding": [(corrected.number, corrected.issue_date.isoformat())] if corrected else [],
        "references": [buyer[name] for name in ("buyer_reference", "order_number", "contract", "invoiced_object")],
        "payment reference": invoice.payment_reference,
        "accounts": [seller["bankgiro"], *filter(None, [seller.get("iban")])],
        "terms": f"{buyer['payment_terms_days']} dagar netto",
    }


def _head_read(read: dict[str, Any]) -> dict[str, Any]:
    payment = read["payment"]
    return {
        "number": read["number"],
        "type": read["type"],
        "issued": read["issue_date"],
        "due": read["due_date"],
        "currency": read["currency"],
        "preceding": [(each["number"], each["date"]) for each in read.get("preceding_invoices", [])],
        "references": [
            *(read.get(name, "") for name in ("buyer_reference", "order_reference", "contract_reference")),
            read.get("object_reference", {}).get("id", ""),
        ],
        "payment reference": payment["remittance_info"],
        "accounts": [each.get("account_id") or each["iban"] for each in payment["credit_transfers"]],
        "terms": payment["terms"],
    }


def _sums(invoice: Invoice) -> dict[str, Any]:
    bases: dict[Decimal, Decimal] = {}
    for line in invoice.lines.all():
        bases[line.vat_rate] = bases.get(line.vat_rate, D(0)) + line.net
    return {
        "net": invoice.net,
        "VAT": invoice.vat,
        "gross": invoice.gross,
        "rounding": invoice.rounding,
        "payable": invoice.payable,
        "base by rate": bases,
        "sum of the lines": sum((line.net for line in invoice.lines.all()), D(0)),
    }


def _sums_read(read: dict[str, Any]) -> dict[str, Any]:
    totals = {name: D(value) for name, value in read["totals"].items()}
    return {
        "net": totals["tax_exclusive"],
        "VAT": totals["tax_total"],
        "gross": totals["tax_inclusive"],
        "rounding": totals.get("rounding", D(0)),
        "payable": totals["payable"],
        "base by rate": {D(each["rate"]): D(each["taxable"]) for each in read["vat_breakdown"]},
        "sum of the lines": sum((D(line["net_amount"]) for line in read["lines"]), D(0)),
    }


def _seller(row: dict[str, Any]) -> dict[str, Any]:
    return _party(row) | {"endpoint": ("0007", row["organisation_number"]), "VAT number": row["vat_number"]}


def _buyer(row: dict[str, Any]) -> dict[str, Any]:
    return _party(row) | {"endpoint": (row["endpoint_scheme"], row["endpoint_id"])}


def _party(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": row["name"],
        "organisation number": row["organisation_number"],
        "address": tuple(row[name] for name in ("street", "postal_code", "city", "country")),
    }


def _party_read(party: dict[str, Any]) -> dict[str, Any]:
    endpoint, address = party["electronic_address"], party["address"]
    return {
        "name": party["name"],
        "organisation number": party["legal_id"]["id"],
        "address": tuple(address.get(name, "") for name in ("line1", "postal_code", "city", "country")),
        "endpoint": (endpoint["scheme"], endpoint["id"]),
        "VAT number": party.get("vat_id"),
    }


def _line(row: InvoiceLine) -> dict[str, Any]:
    return {
        "line": str(row.position),
        "text": row.text,
        "description": row.description,
        "article": row.article_code,
        "quantity": row.quantity,
        "price": row.unit_price,
        "rate": row.vat_rate,
        "line net": row.net,
        "month": row.period.isoformat(),
    }


def _line_read(line: dict[str, Any]) -> dict[str, Any]:
    return {
        "line": line["id"],
        "text": line["name"],
        "description": line.get("description", ""),
        "article": line["seller_item_id"],
        "quantity": D(line["quantity"]),
        "price": D(line["price"]),
        "rate": D(line["vat_rate"]),
        "line net": D(line["net_amount"]),
        "month": line["period"]["start"],
    }
