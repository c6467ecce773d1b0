"""Invoices without a database."""

import datetime as dt
from dataclasses import replace
from decimal import Decimal

from billing.documents.domain.invoices import (
    Buyer,
    DocumentType,
    InvoiceContent,
    LineContent,
    NumberedInvoice,
    PrecedingInvoice,
    Seller,
    total,
)
from billing.records.domain.identifiers import ocr_reference
from billing.records.domain.money import to_ore
from billing.records.domain.periods import Month
from tests.billing.facts import uid

APRIL = Month(2023, 4)
SELLER = Seller(
    name="Demo e-legitimationer AB",
    organisation_number="5599990008",
    vat_number="SE559999000801",
    street="Kortvägen 1",
    postal_code="111 11",
    city="Stockholm",
    country="SE",
    seat="Stockholm",
    email="faktura@demo-e-legitimationer.example",
    bankgiro="9912346",
    iban="SE3999900000000012345678",
    bic="DEMOSESS",
    contact="SITHS fakturering",
)
BUYER = Buyer(
    name="Region Norr",
    organisation_number="2329990002",
    endpoint_scheme="0007",
    endpoint_id="2329990002",
    street="Box 100",
    postal_code="123 45",
    city="Demostad",
    country="SE",
    buyer_reference="9200101",
    order_number="",
    contract="",
    invoiced_object="",
    payment_terms_days=30,
    round_to_krona=False,
)


def line(position: int, text: str, quantity: str, unit_price: str, *, rate: str = "25", month: Month = APRIL) -> LineContent:
    pieces, price = Decimal(quantity), Decimal(unit_price)
    net = to_ore(pieces * price)
    return LineContent(
        position, "card", uid("office"), None, "589", text, pieces, price, Decimal(rate), net, month, f"card|{position}"
    )


def invoice(*lines: LineContent, seller: Seller = SELLER, **buyer: object) -> NumberedInvoice:
    """An invoice of April 2023 over `lines`, or over two lines."""
    to = replace(BUYER, **buyer)
    chosen = lines or (line(1, "589, Kontor A", "1000", "90"), line(2, "689, Kontor A", "3", "12.3456"))
    content = InvoiceContent(seller, to, APRIL, chosen, total(chosen, round_to_krona=to.round_to_krona))
    return NumberedInvoice("2023-000001", dt.date(2023, 5, 2), dt.date(2023, 6, 1), ocr_reference(2023, 1), content)


def credit_note(*lines: LineContent, **buyer: object) -> NumberedInvoice:
    """A credit note over `lines` of invoice 2023-000001, with the next number."""
    credited = invoice(*lines, **buyer)
    content = replace(
        credited.content,
        document_type=DocumentType.CREDIT_NOTE,
        preceding=PrecedingInvoice(credited.number, credited.issue_date),
    )
    number, reference = "2023-000002", ocr_reference(2023, 2)
    return replace(credited, number=number, issue_date=dt.date(2023, 5, 9), payment_reference=reference, content=content)


FULL = invoice(
    line(1, "589, Kontor A", "1000", "90"),
    replace(line(2, "689", "3", "12.3456", rate="6"), description="Liggande kort utan foto"),
    contract="KA2-17",
    invoiced_object="A-9",
    order_number="P12",
    round_to_krona=True,
)
FULL_CREDIT = credit_note(*FULL.content.lines, contract="KA2-17", invoiced_object="A-9", order_number="P12", round_to_krona=True)
"""Documents with every element that ours can have."""
