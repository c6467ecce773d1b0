"""Billing on the real issuing side: an order that is sent, an e-legitimation that is active, and nobody's name."""

import datetime as dt

import pytest
from django.core.management import call_command

from billing.customers.services.demo import load_demo_prices
from billing.invoices.models import Invoice
from billing.ledger.models import LedgerEntry
from billing.reconciliation.services.reconcile import reconcile
from billing.records.domain.periods import Month
from billing.records.models import Document, Event
from billing.service import previewed_line, run_month
from issuance.organisations.ports import OrganisationDirectory
from issuance.people.ports import PersonRegister, StaffDirectory
from siths_portal.lib import clock, ports
from tests.issuance.outside import Outside
from tests.issuance.test_billing_facts import active, charge, move, sent
from tests.issuance.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db):
    before = {port: ports.get(port) for port in (OrganisationDirectory, StaffDirectory, PersonRegister)}
    outside = Outside()
    for port in before:
        ports.connect(port, outside)
    yield World(outside)
    for port, adapter in before.items():
        ports.connect(port, adapter)


def test_from_a_sent_card_to_an_invoice(world, tmp_path):
    load_demo_prices()
    post = world.post(world.clinic, given_name="Provfornamn", surname="Provefternamnsson")
    order = world.order(post, article="631-REK")
    assert previewed_line(order.id) is None, "ordered is not sent"
    sent(order)
    charge(world.city)
    active(world.post(world.city), valid_to=clock.now() + dt.timedelta(days=100))
    comment = world.office.invoice_comment
    assert previewed_line(order.id) == f"631 REK, {comment}"

    month = Month.of(clock.now())
    with clock.moved_to(month.end + dt.timedelta(hours=30)):
        move(world.city, area=world.stranger.area_id)  # the month that is over stays the old party's
        result = run_month(month, actor_ref="user:test", issue=True)
        assert [check.number for check in reconcile(month) if not check.ok] == []
        assert previewed_line(order.id) is None, "invoiced"
        for file_format in ("peppol", "pdf", "sie", "csv"):
            call_command("billing_export", "--month", month.code(), "--format", file_format, "--to", str(tmp_path))
    assert [customer.state for customer in result.customers if customer.lines] == ["issued"]
    texts = [line.text for line in Invoice.objects.get().lines.order_by("position")]
    assert texts[0] == f"631 REK, {comment}"
    assert texts[1].startswith("SITHS-abonnemang, ")

    personal = ("Provfornamn", "Provefternamnsson", post.hsa_id, world.key_of(post.person).value)
    kept = [str(event.facts) for event in Event.objects.all()]
    kept += [bytes(document.content).decode("latin-1") for document in Document.objects.all()]
    kept += [str(entry.__dict__) for entry in LedgerEntry.objects.all()]
    kept += [path.name for path in tmp_path.iterdir()] + [path.read_bytes().decode("latin-1") for path in tmp_path.iterdir()]
    assert not [secret for secret in personal for text in kept if secret in text]


def test_a_fee_switched_on_the_30th_holds_for_the_whole_month(world):
    """Switched on, it is billed with the full price; switched off, nothing is. The month has 31 days."""
    october, day = Month(2026, 10), clock.start_of_day(dt.date(2026, 10, 30))
    load_demo_prices(october.start)
    for organisation in (world.region, world.city):
        active(world.post(organisation))
    charge(world.city, since=day)
    charge(world.region)
    charge(world.region, charged=False, since=day)
    with clock.moved_to(october.end + dt.timedelta(hours=30)):
        run_month(october, actor_ref="user:test")
    line = Invoice.objects.get().lines.get()
    assert (line.text, line.quantity) == (f"SITHS-abonnemang, {world.city.name}", 1)
