"""Demo prices for every article of the portal, and demo customer data for every directly connected organisation."""

import datetime as dt
from decimal import Decimal

from django.db import transaction

from billing import ports
from billing.customers.models import BillingCustomer
from billing.customers.services.customers import CustomerTerms, new_version
from billing.prices.models import PriceItem
from billing.prices.services.prices import set_price
from billing.records.domain import codes
from siths_portal.lib import clock
from siths_portal.lib import ports as connected

VALID_FROM = dt.date(2020, 1, 1)
VAT = Decimal(25)
ACTOR = "system:demo"
# The prices of 589, 689 and the subscription are from the SITHS presentation; the others are invented.
PRICES = {
    "589": Decimal(90),
    "689": Decimal(50),
    "610": Decimal(90),
    "677": Decimal(90),
    "631": Decimal(75),
    "616": Decimal(70),
    codes.SUBSCRIPTION: Decimal(95),
    codes.PUK_LETTER: Decimal(45),
    codes.RESERVE_CARD: Decimal(60),
}
OTHER_ARTICLE = Decimal(80)
REGISTERED_MAIL = Decimal(65)


def load_demo_prices(customers_since: dt.datetime | None = None) -> tuple[int, int]:
    """Adds a price to each article without one, and terms to each party without any. Returns both numbers. Can be repeated.

    The terms hold from `customers_since` on, or from now. All customers come at once, so that the scheduled job never opens a
    month with some of them.
    """
    facts = connected.get(ports.IssuanceFacts)
    prices = dict(PRICES)
    for code, article in facts.articles().items():
        base = PRICES.get(article.number, OTHER_ARTICLE)
        prices[code] = base + REGISTERED_MAIL if article.registered_mail else base
    priced = set(PriceItem.objects.filter(party_id=None).values_list("article_code", flat=True))
    new_prices = sorted(prices.keys() - priced)
    for code in new_prices:
        set_price(actor_ref=ACTOR, article_code=code, unit_price=prices[code], vat_rate=VAT, valid_from=VALID_FROM)
    known = set(BillingCustomer.objects.values_list("party_id", flat=True))
    new_parties = {party.id: party for party in facts.billing_parties() if party.id not in known}
    with clock.moved_to(customers_since or clock.now()), transaction.atomic(durable=True):
        for party in new_parties.values():
            new_version(actor_ref=ACTOR, party_id=party.id, terms=_terms(party), current=None)
    return len(new_prices), len(new_parties)


def _terms(party: ports.BillingParty) -> CustomerTerms:
    return CustomerTerms(
        name=party.name,
        organisation_number=party.organisation_number,
        street="Fakturaservice, Box 100",
        postal_code="123 45",
        city="Demostad",
        buyer_reference=party.invoice_reference,
        contract="DEMO-KA2",
        attestant="Attestanten",
        approved_on=VALID_FROM,
        terms_accepted_on=VALID_FROM,
    )
