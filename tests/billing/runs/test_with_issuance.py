"""Billing on the real issuing side: an order that is sent, an e-legitimation that is active, and nobody's name."""

import datetime as dt
from uuid import uuid4

import pytest
from django.core.management import call_command

from billing.customers.services.demo import load_demo_prices
from billing.documents import pdf
from billing.invoices.models import Invoice, InvoiceFile
from billing.ledger.models import LedgerEntry
from billing.reconciliation.services.reconcile import reconcile
from billing.records.domain.periods import Month
from billing.records.models import Document, Event
from billing.service import previewed_line, run_month
from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.ports import InvoiceLines
from issuance.records.services import steps
from issuance.suppliers.models import SupplierEvent
from siths_portal.lib import clock, ports
from siths_portal.lib.ids import new_id
from tests.issuance.outside import Outside, connected
from tests.issuance.test_billing_facts import active, charge, move, sent
from tests.issuance.world import World

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def world(transactional_db):
    with connected(Outside()) as outside:
        yield World(outside)


def made(world, *kinds: str) -> CardOrder:
    """A sent order of these kinds of items, without a person: the last reserve card and the first of two cards were spoilt."""
    like = world.order()
    values = {field.attname: getattr(like, field.attname) for field in CardOrder._meta.concrete_fields}
    now = clock.now()
    order = CardOrder(**{**values, "id": new_id(), "person_id": None, "idempotency_key": uuid4().hex, "state": "queued"})
    steps.begin([order], "submitted", actor_ref="user:test", facts={})
    for number, kind in enumerate(kinds, start=1):
        carrier = None
        if kind != "letter":
            carrier = Carrier(
                kind="reserve_card", organisation=order.organisation, article=order.article, state="ordered", valid_from=now,
                valid_to=now + dt.timedelta(days=1800), created_at=now,
            )  # fmt: skip
            steps.begin([carrier], "ordered", actor_ref="user:test", facts={})
        puk_of = like.carrier if kind == "letter" else None
        OrderItem.objects.create(order=order, number=number, kind=kind, carrier=carrier, puk_of=puk_of, state="sent")
    spoilt = {"card": min, "reserve_card": max}.get(kinds[0])
    if spoilt and len(kinds) > 1:
        item = spoilt(order.items.all(), key=lambda item: item.number)
        OrderItem.objects.filter(pk=item.pk).update(state="failed")
        SupplierEvent.objects.create(
            item=item,
            kind="failed",
            status="noted",
            content_sha256="0" * 64,
            payload={"reason": "printer-error"},
            received_at=now,
        )
    sent(order)
    return order


def test_bundles_letters_and_cards_made_again_are_billed(world, tmp_path):
    load_demo_prices()
    bundle, letter, remade = made(world, *["reserve_card"] * 4), made(world, "letter"), made(world, "card", "card")
    month, comment = Month.of(clock.now()), world.office.invoice_comment
    with clock.moved_to(month.end + dt.timedelta(hours=30)):
        run_month(month, actor_ref="user:test", issue=True)
        assert [check for check in reconcile(month) if not check.ok] == []
        call_command("billing_export", "--month", month.code(), "--format", "peppol", "--to", str(tmp_path))
    entries = {entry.source_key: entry for entry in LedgerEntry.objects.all()}
    assert {key: (entry.kind, entry.quantity) for key, entry in entries.items()} == {
        f"reserve:{bundle.id}": ("reserve_card", 3),
        f"reproduction:4:{bundle.id}": ("reproduction", 1),
        f"puk:{letter.id}": ("puk_letter", 1),
        f"card:{remade.id}": ("card", 1),
        f"reproduction:1:{remade.id}": ("reproduction", 1),
    }
    again = entries[f"reproduction:1:{remade.id}"]
    assert (again.unit_price, again.reason) == (0, "Kortleverantören gjorde om kortet. Orsak: printer-error")
    price = entries[f"card:{remade.id}"].unit_price
    invoice = Invoice.objects.get()
    assert [(line.text, line.quantity, line.net) for line in invoice.lines.order_by("position")] == [
        (f"631, {comment}", 1, price),
        (f"RESERV, {comment}", 3, 180),
        (f"PUK, {comment}", 1, 45),
        (f"631 omtillverkning, {comment}", 2, 0),
    ]
    issued = ports.get(InvoiceLines).issued(world.officer(role=Role.RESPONSIBLE_ISSUER), bundle.id)
    assert [(line.number, line.text) for line in issued] == [(invoice.number, f"RESERV, {comment}")]
    assert ports.get(InvoiceLines).issued(world.officer(), bundle.id) == [], "an officer who reads no invoice"
    (file,) = tmp_path.iterdir()
    xml = file.read_text()
    assert xml.count("<cbc:Description>Kort, omtillverkat utan kostnad</cbc:Description>") == 1
    copy = pdf.text(bytes(InvoiceFile.objects.get(file_format="pdf").document.content))
    assert "omtillverkat utan kostnad" in copy.replace("\n", " ")


def test_a_piece_that_the_ledger_lacks_is_a_difference(world):
    load_demo_prices()
    made(world, *["reserve_card"] * 3)
    month = Month.of(clock.now())
    with clock.moved_to(month.end + dt.timedelta(hours=30)):
        run_month(month, actor_ref="user:test")
        OrderItem.objects.filter(kind="reserve_card", number=1).update(kind="card")
        (found,) = (check for check in reconcile(month) if not check.ok)
    assert (found.number, found.value) == (7, 2)
    assert found.named == ("kort: skickade 1, i liggaren 0", "reservkort: skickade 1, i liggaren 2")


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
