"""What a receiver's program reads in each kind of document is what the database says (`receiver`).

After each test of billing the fixture `facts` compares the documents that the test has stored, unless it has tampered with rows.
"""

import datetime as dt
from decimal import Decimal

import pytest

from billing.credit.models import Treatment
from billing.credit.services import crediting, files
from billing.credit.services.crediting import Choice
from billing.invoices.models import FileFormat, Invoice
from billing.invoices.services import rendering
from billing.records.domain.periods import Month
from billing.service import run_month
from issuance.authz import Role
from siths_portal.lib import clock
from tests.billing.documents import receiver
from tests.billing.facts import local
from tests.billing.world import APRIL, MUNICIPALITY, REGION, customer, price

pytestmark = pytest.mark.django_db(transaction=True)
SENT = local(2023, 4, 12)


@pytest.fixture
def every_kind(page_world, facts):
    """Invoices with every term that ours can have, a late card, and credit notes over a part and over a whole invoice."""
    for code, amount, rate in (("589", "12.3456", "25"), ("589-REK", "65", "25"), ("610", "80.5", "6"), ("ABO", "95", "25")):
        price(code, amount, vat=rate)
    customer(
        REGION, name="A & B <Västra Götaland>", organisation_number="2329990010", street="", contract="KA2-17",
        invoiced_object="A-9", order_number="P123456789012", round_to_krona=True, payment_terms_days=20,
    )  # fmt: skip
    gln = {"endpoint_scheme": "0088", "endpoint_id": "7300010000001", "buyer_reference": "", "order_number": "DLL1234567"}
    customer(MUNICIPALITY, name="Demo kommun", organisation_number="2129990012", **gln)
    for party, code, pieces in ((REGION, "589", 7), (REGION, "610", 3), (REGION, "589-REK", 1), (MUNICIPALITY, "610", 1)):
        facts.card(party, facts.office(f"{party} {code}", f"Kontor {code} ]]>"), code, SENT, n=pieces)
    facts.count("2023-04", REGION, "Öckerö kommun", 480)
    run_month(APRIL, actor_ref="user:test", issue=True)
    facts.card(MUNICIPALITY, facts.office("late", "Kontor Å"), "589", SENT, n=2)
    facts.card(MUNICIPALITY, facts.office("late", "Kontor Å"), "589", local(2023, 5, 3))
    one, two = (page_world.world.officer(place, Role.FINANCE_ADMIN) for place in (page_world.region, page_world.municipality))
    with clock.moved_to(local(2023, 6, 2, 6)):
        run_month(Month(2023, 5), actor_ref="user:test", issue=True)
        part = {1: Choice(Decimal(2), Treatment.RELEASE), 4: Choice(Decimal("0.5"), Treatment.WRITE_OFF)}
        for number, choices in (("2023-000002", part), ("2023-000001", {1: Choice(Decimal(1), Treatment.WRITE_OFF)})):
            asked = crediting.request_credit(actor=one, number=number, choices=choices, reason="Fel antal.")
            crediting.approve_credit(actor=two, request_id=asked.pk)
        files.render_credit_notes()


def test_each_kind_of_document_is_read_as_the_database_says(every_kind):
    assert receiver.misread_documents() == []
    types = list(Invoice.objects.order_by("sequence").values_list("document_type", flat=True))
    assert types == ["380", "380", "380", "381", "381"]
    region = receiver.received(rendering.stored(Invoice.objects.get(number="2023-000002"), FileFormat.PEPPOL))
    assert len(region["lines"]) == 4
    assert {each["rate"] for each in region["vat_breakdown"]} == {"6", "25"}
    assert Decimal(region["totals"]["rounding"]) != 0


def test_a_receiver_sees_what_differs(every_kind):
    invoice = Invoice.objects.get(number="2023-000002")
    xml = rendering.stored(invoice, FileFormat.PEPPOL).decode()
    invoice.payable += 1
    invoice.due_date += dt.timedelta(days=1)
    invoice.buyer["name"] = "Annan"
    changed = xml.replace("610, Kontor 610", "610, Kontor 1", 1).replace(
        ">7.00</cbc:InvoicedQuantity>", ">8</cbc:InvoicedQuantity>"
    )
    told = list(receiver.misread(invoice, changed.encode()))
    assert [each.partition(":")[0] for each in told] == ["due", "payable", "name", "quantity", "text"]
