"""What stops a party's invoice before there is anything to invoice: customer, reference or prices that are missing."""

from collections.abc import Collection
from uuid import UUID

from django.db.models import Q

from billing.domain import codes
from billing.models import BillingCustomer, CustomerState
from billing.services.prices import PriceBook
from siths_portal.lib import clock


def invoice_obstacles(party_id: UUID, article_codes: Collection[str]) -> list[str]:
    """Returns a Swedish sentence for each obstacle: the customer, its approval or reference, and articles without a price today.

    Every party needs a price for the subscription. An invoice that is drafted is also judged by the invoice rules, which
    find further faults in the customer's data.
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
        if not (customer.buyer_reference or customer.order_number):
            found.append("Kundens fakturareferens eller ordernummer saknas.")
    book = PriceBook({codes.SUBSCRIPTION, *article_codes})
    if unpriced := [code for code in sorted(article_codes) if book.price(code, party_id, today) is None]:
        found.append(f"Pris saknas för artikel {', '.join(unpriced)}.")
    if book.price(codes.SUBSCRIPTION, party_id, today) is None:
        found.append("Pris saknas för abonnemanget.")
    return found
