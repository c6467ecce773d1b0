"""An area where cards can be ordered but not invoiced says so to those who set it up, and on *Löpande månad*."""

import datetime as dt
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from billing.customers.services.customers import CustomerTerms, put_customer
from billing.prices.services.prices import set_price
from billing.records.domain.codes import SUBSCRIPTION
from billing.runs.services.readiness import invoice_obstacles
from issuance import service as issuance
from issuance.administration.ports import InvoiceReadiness
from issuance.authz import Role
from issuance.people.models.persons import Person
from siths_portal.lib import ports
from siths_portal.wiring.ports import OwnInvoicing
from tests.issuance.activation.test_pages import text_of
from tests.portal import portal_client

SINCE = dt.date(2020, 1, 1)
TERMS = CustomerTerms("Regionen", "2321000131", "123 45", "Staden", buyer_reference="REF-1")


@pytest.fixture(autouse=True)
def _real_adapter() -> Iterator[None]:
    before = ports.get(InvoiceReadiness)
    ports.connect(InvoiceReadiness, OwnInvoicing())
    yield
    ports.connect(InvoiceReadiness, before)


def page_of(world: Any, address: str) -> str:
    issuer = world.officer(role=Role.RESPONSIBLE_ISSUER)
    return text_of(portal_client(Person.objects.get(pk=issuer.person_id)).get(address))


def price(code: str) -> None:
    set_price(actor_ref="system:test", article_code=code, unit_price=Decimal(90), vat_rate=Decimal(25), valid_from=SINCE)


def customer(world: Any, terms: CustomerTerms) -> None:
    put_customer(actor_ref="system:test", party_id=world.region.pk, terms=terms)


def test_each_obstacle_is_a_sentence_and_none_is_left_at_the_end(world: Any) -> None:
    codes = sorted(issuance.offered_articles(world.region.pk))
    assert codes
    unpriced = [f"Pris saknas för artikel {', '.join(codes)}.", "Pris saknas för abonnemanget."]
    assert invoice_obstacles(world.region.pk, codes) == ["Kunduppgifter för fakturering saknas.", *unpriced]
    customer(world, CustomerTerms("Regionen", "2321000131", "123 45", "Staden"))
    (reference, *others) = invoice_obstacles(world.region.pk, codes)
    assert reference.startswith("Kundens egen referens eller ordernummer saknas i kunduppgifterna. Områdets och kontorens")
    assert others == unpriced
    customer(world, TERMS)
    for code in [*codes, SUBSCRIPTION]:
        price(code)
    assert invoice_obstacles(world.region.pk, codes) == []


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"country": "XX"}, "Landskoden ska vara två stora bokstäver enligt ISO 3166-1"),
        ({"endpoint_scheme": "0208", "endpoint_id": "0123456780"}, "Ett belgiskt företagsnummer (typ 0208) har fel form"),
        ({"organisation_number": "2321000132"}, "Ett svenskt organisationsnummer (typ 0007) har fel form eller kontrollsiffra"),
        ({"endpoint_scheme": "9901", "endpoint_id": "1"}, "Okänd typ av elektronisk adress"),
        ({"city": ""}, "namn eller adress saknas"),
    ],
)
def test_wrong_customer_data_is_an_obstacle_before_the_month_has_anything(world: Any, wrong: dict[str, Any], text: str) -> None:
    customer(world, replace(TERMS, **wrong))
    codes = sorted(issuance.offered_articles(world.region.pk))
    for code in [*codes, SUBSCRIPTION]:
        price(code)
    (obstacle,) = invoice_obstacles(world.region.pk, codes)
    assert obstacle.startswith("Kunduppgifterna behöver rättas: ")
    assert text in obstacle


def test_the_next_steps_of_an_area_and_the_running_month_name_them(world: Any) -> None:
    area, running = reverse("area", args=[world.area.pk]), reverse("invoices_running")
    page = page_of(world, area)
    assert "Faktureringen är inte klar Kunduppgifter för fakturering saknas." in page
    page = page_of(world, running)
    assert "Regionen Kunduppgifter för fakturering saknas, och SITHS-förvaltningen registrerar dem. Visa organisationen" in page
    customer(world, TERMS)
    page = page_of(world, running)
    assert "Regionen kan inte faktureras än Pris saknas för artikel" in page
    assert "SITHS-förvaltningen behöver rätta det innan månaden tar slut." in page
    for code in [*issuance.offered_articles(world.region.pk), SUBSCRIPTION]:
        price(code)
    assert "Faktureringen är inte klar" not in page_of(world, area)
    assert "kan inte faktureras" not in page_of(world, running)
