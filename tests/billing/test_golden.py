"""The slides' two sketches, seed lines 704-745, exact to the öre."""

from decimal import Decimal

import pytest

from billing.models import Invoice, InvoiceLine
from billing.service import run_month
from tests.billing.world import APRIL, MUNICIPALITY, REGION

pytestmark = pytest.mark.django_db(transaction=True)


def printed(party) -> list[tuple[str, str, str, str]]:
    lines = InvoiceLine.objects.filter(invoice__party_id=party).order_by("position")
    return [(line.text, str(line.quantity), str(line.unit_price), str(line.net)) for line in lines]


CARDS = [
    ("589, Kontor A", "1000.00", "90.0000", "90000.00"),
    ("689, Kontor A", "350.00", "50.0000", "17500.00"),
    ("589, Kontor B", "510.00", "90.0000", "45900.00"),
    # The slides print 9 500,00 here, which is 100 at the subscription's price: a slip of theirs. 100 at 50 is 5 000.
    ("689, Kontor B", "100.00", "50.0000", "5000.00"),
]


def test_both_sketches(sketches):
    result = run_month(APRIL, actor_ref="user:test", issue=True)

    assert [customer.state for customer in result.customers] == ["issued", "issued"]
    assert printed(REGION) == [
        *CARDS,
        ("SITHS-abonnemang, Partille kommun", "401.00", "95.0000", "38095.00"),
        ("SITHS-abonnemang, Öckerö kommun", "480.00", "95.0000", "45600.00"),
    ]
    assert printed(MUNICIPALITY) == [
        *CARDS,
        ("SITHS-abonnemang, direktanslutning", "2.00", "95.0000", "190.00"),
        ("SITHS-abonnemang, Vingåkers kommun", "5.00", "95.0000", "475.00"),
    ]
    region, municipality = Invoice.objects.get(party_id=REGION), Invoice.objects.get(party_id=MUNICIPALITY)
    assert (region.net, region.vat, region.gross) == (Decimal("242095.00"), Decimal("60523.75"), Decimal("302618.75"))
    assert (municipality.net, municipality.gross) == (Decimal("159065.00"), Decimal("198831.25"))
    assert (region.payable, region.rounding) == (Decimal("302618.75"), Decimal("0.00"))
    # Numbers go by organisation number: 212999-0012 before 232999-0010.
    assert (municipality.number, region.number) == ("2023-000001", "2023-000002")
    assert municipality.payment_reference == "202300000124"
