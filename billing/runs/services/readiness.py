"""Obstacles to a party's invoice, found before there is anything to invoice: wrong or missing customer data, missing prices."""

from collections.abc import Collection
from decimal import Decimal
from uuid import UUID

from django.db.models import Q

from billing.customers.models import BillingCustomer, CustomerState
from billing.customers.services.customers import buyer_of, references_of, wrong_references
from billing.documents import peppol, seller
from billing.documents.domain.invoices import InvoiceContent, LineContent, total
from billing.invoices.services import drafts
from billing.ledger.domain import line_kinds
from billing.prices.services.prices import PriceBook
from billing.records.domain import codes
from billing.records.domain.periods import Month
from issuance import service as issuance
from siths_portal.lib import clock

_REFERENCE = "PEPPOL-EN16931-R003"
NO_REFERENCE = (
    "Kundens egen referens eller ordernummer saknas i kunduppgifterna. Områdets och kontorens fakturareferens ersätter den inte."
)


def invoice_obstacles(party_id: UUID, article_codes: Collection[str]) -> list[str]:
    """Returns a sentence for each obstacle: missing customer data or approval, wrong data, articles without a price today.

    Every party needs a price for the subscription. Only our own invoice rules check the customer's data here; validation of a
    draft also runs the official rules, which take too long for a page.
    """
    now, today = clock.now(), clock.today()
    in_force = BillingCustomer.objects.filter(Q(valid_until=None) | Q(valid_until__gt=now), valid_from__lte=now)
    customer = in_force.filter(party_id=party_id).first()
    found = []
    if customer is None:
        found.append("Kunduppgifter för fakturering saknas.")
    else:
        if customer.state == CustomerState.PENDING:
            found.append("Kundens attestant har inte godkänt beställningen av tjänsten.")
        found += wrong_references(references_of(customer)).values()
        found += _wrong_data(customer)
    book = PriceBook({codes.SUBSCRIPTION, *article_codes})
    if unpriced := [code for code in sorted(article_codes) if book.price(code, party_id, today) is None]:
        found.append(f"Pris saknas för artikel {', '.join(unpriced)}.")
    if book.price(codes.SUBSCRIPTION, party_id, today) is None:
        found.append("Pris saknas för abonnemanget.")
    return found


def obstacles_of(party_id: UUID) -> list[str]:
    """Returns the obstacles of a party with all articles that it may order today."""
    return invoice_obstacles(party_id, issuance.offered_articles(party_id))


def _wrong_data(customer: BillingCustomer) -> list[str]:
    """Returns a sentence for each own rule that an invoice of one krona to the customer breaks."""
    month, krona = Month.of(clock.now()), Decimal("1.00")
    line = LineContent(
        position=1,
        kind=line_kinds.SUBSCRIPTION.code,
        office_id=None,
        organisation_id=None,
        article_code=codes.SUBSCRIPTION,
        text="SITHS",
        quantity=krona,
        unit_price=krona,
        vat_rate=Decimal(25),
        net=krona,
        period=month,
        grouping_key="",
    )
    lines = (line,)
    content = InvoiceContent(seller.configured(), buyer_of(customer), month, lines, total(lines, round_to_krona=False))
    findings = peppol.check(drafts.draft_document(content))
    return [
        NO_REFERENCE if finding.rule == _REFERENCE else f"Kunduppgifterna behöver rättas: {finding.message}"
        for finding in findings
    ]
