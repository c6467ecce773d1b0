"""The content of an invoice as frozen values: parties, lines and totals. Terms and BT numbers are those of EN 16931."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import groupby
from typing import Any, Self
from uuid import UUID

from billing.ledger.domain import line_kinds
from billing.records.domain import money
from billing.records.domain.periods import Month

CURRENCY = "SEK"


class DocumentType(StrEnum):
    """BT-3, codes of UNTDID 1001."""

    INVOICE = "380"
    CREDIT_NOTE = "381"

    @property
    def sign(self) -> int:
        """The sign of the document's amounts in sums and in the books; the document itself states positive amounts."""
        return -1 if self is DocumentType.CREDIT_NOTE else 1


@dataclass(frozen=True)
class StoredParty:
    """Base of the seller and the buyer, which an invoice stores as they are when it is drafted."""

    def as_json(self) -> dict[str, Any]:
        """Returns the values as stored on the invoice."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Returns the party as stored."""
        return cls(**stored)


@dataclass(frozen=True)
class Seller(StoredParty):
    """The seller, BG-4, and where to pay, BG-16. Numbers without hyphens and spaces.

    `contact` (BT-41) is a function and never a person. Invoices from before it and the IBAN existed have them empty.
    """

    name: str
    organisation_number: str
    vat_number: str
    street: str
    postal_code: str
    city: str
    country: str
    seat: str
    email: str
    bankgiro: str
    iban: str = ""
    bic: str = ""
    contact: str = ""

    def as_json(self) -> dict[str, Any]:
        """Returns the values as stored; without those that are empty and younger than the first invoices, so that hashes hold."""
        return {name: value for name, value in super().as_json().items() if value or name not in ("iban", "bic", "contact")}


@dataclass(frozen=True)
class Buyer(StoredParty):
    """The buyer, BG-7, with its electronic address (BT-49) and references. An unused reference is empty."""

    name: str
    organisation_number: str
    endpoint_scheme: str
    endpoint_id: str
    street: str
    postal_code: str
    city: str
    country: str
    buyer_reference: str  # BT-10
    order_number: str  # BT-13
    contract: str  # BT-12
    invoiced_object: str  # BT-18
    payment_terms_days: int
    round_to_krona: bool


@dataclass(frozen=True)
class LineContent:
    """An invoice line, BG-25. `period` is the month of the billed events (BG-26); amounts exclude VAT.

    `text` is the item's name (BT-153), `description` what was bought (BT-154) where the name does not say it, else empty.
    """

    position: int
    kind: str
    office_id: UUID | None
    organisation_id: UUID | None
    article_code: str
    text: str
    quantity: Decimal
    unit_price: Decimal
    vat_rate: Decimal
    net: Decimal
    period: Month
    grouping_key: str
    description: str = ""

    @property
    def declaration(self) -> line_kinds.LineKind:
        """The declaration of the line's kind."""
        return line_kinds.of(self.kind)

    def as_json(self) -> dict[str, Any]:
        """Returns the values of the line that the invoice's content hash covers.

        A description is covered only if the line has one, so that hashes of lines without the field hold.
        """
        covered = {
            "position": str(self.position),
            "kind": self.kind,
            "office_id": str(self.office_id),
            "organisation_id": str(self.organisation_id),
            "article_code": self.article_code,
            "text": self.text,
            "quantity": format(self.quantity, ".2f"),
            "unit_price": format(self.unit_price, ".4f"),
            "vat_rate": format(self.vat_rate, ".2f"),
            "net": format(self.net, ".2f"),
            "period": self.period.code(),
        }
        return covered | {"description": self.description} if self.description else covered


@dataclass(frozen=True)
class VatSubtotal:
    """BG-23: base and VAT of one rate."""

    rate: Decimal
    base: Decimal
    vat: Decimal


@dataclass(frozen=True)
class Totals:
    """BG-22. gross = net + vat, payable = gross + rounding; rounding is 0 unless the buyer wants whole kronor."""

    net: Decimal  # BT-106, BT-109
    vat: Decimal  # BT-110
    gross: Decimal  # BT-112
    rounding: Decimal  # BT-114
    payable: Decimal  # BT-115
    subtotals: tuple[VatSubtotal, ...]


@dataclass(frozen=True)
class PrecedingInvoice:
    """BG-3, the invoice that a credit note corrects."""

    number: str  # BT-25
    issue_date: dt.date  # BT-26


@dataclass(frozen=True)
class InvoiceContent:
    """The content of an invoice before it has a number. Only a credit note has a preceding invoice."""

    seller: Seller
    buyer: Buyer
    month: Month
    lines: tuple[LineContent, ...]
    totals: Totals
    document_type: DocumentType = DocumentType.INVOICE
    preceding: PrecedingInvoice | None = None

    @property
    def note(self) -> str:
        """BT-22, the heading of the specification."""
        subject = f"SITHS, avser {self.month}"
        return f"Kreditering av faktura {self.preceding.number}. {subject}" if self.preceding else subject

    @property
    def period_start(self) -> dt.date:
        """BT-73: no line's period begins earlier (R110), so late events widen it."""
        return min([self.month, *(line.period for line in self.lines)]).first_day

    @property
    def period_end(self) -> dt.date:
        """BT-74: no line's period ends later (R111)."""
        return max([self.month, *(line.period for line in self.lines)]).last_day

    def as_json(self) -> dict[str, Any]:
        """Returns what the content hash covers: every value that is printed, sent or summed.

        The document type is covered only if it is not 380, so that hashes of invoices issued before credit notes existed hold.
        """
        totals = {name: format(getattr(self.totals, name), ".2f") for name in ("net", "vat", "gross", "rounding", "payable")}
        covered = {
            "seller": self.seller.as_json(),
            "buyer": self.buyer.as_json(),
            "month": self.month.code(),
            "lines": [line.as_json() for line in self.lines],
            "totals": totals,
        }
        if self.document_type != DocumentType.INVOICE:
            covered["document_type"] = self.document_type.value
        if self.preceding:
            covered["preceding"] = {"number": self.preceding.number, "issue_date": self.preceding.issue_date.isoformat()}
        return covered


@dataclass(frozen=True)
class NumberedInvoice:
    """An issued invoice: its content with number, dates and payment reference."""

    number: str  # BT-1
    issue_date: dt.date  # BT-2
    due_date: dt.date  # BT-9
    payment_reference: str  # BT-83, the OCR reference
    content: InvoiceContent


def total(lines: Iterable[LineContent], *, round_to_krona: bool) -> Totals:
    """Sums rounded line amounts, computes VAT once per rate, and rounds to whole kronor only if `round_to_krona` is set."""
    by_rate = sorted(lines, key=lambda line: line.vat_rate)
    subtotals = []
    for rate, group in groupby(by_rate, key=lambda line: line.vat_rate):
        base = sum((line.net for line in group), Decimal("0.00"))
        subtotals.append(VatSubtotal(rate, base, money.vat_of(base, rate)))
    net = sum((each.base for each in subtotals), Decimal("0.00"))
    vat = sum((each.vat for each in subtotals), Decimal("0.00"))
    gross = net + vat
    rounding = money.krona_rounding(gross) if round_to_krona else Decimal("0.00")
    return Totals(net, vat, gross, rounding, gross + rounding, tuple(subtotals))
