"""The thirteen differences: all 0 after a run, and each seen and named when someone has been at the rows."""

import json
import re

import psycopg2
import pytest
from django.db import connection

from billing.documents import ubl
from billing.invoices.models import Invoice
from billing.invoices.services import drafts, frozen, numbering, rendering
from billing.invoices.services.integrity import IssuedCheck
from billing.reconciliation.services.reconcile import reconcile
from billing.records.models import Document, Event, EventSeal
from billing.service import run_month, verify_issued
from siths_portal.lib.audit import seals
from siths_portal.lib.errors import Conflict, NotFound
from tests.billing.facts import local, uid
from tests.billing.world import APRIL, REGION, customer, made_once, slide_prices, tamper
from tests.lib.audit.audit_world import verify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def issued(facts):
    """Two issued invoices, 2023-000001 and 2023-000002, the second one's customer being REGION."""

    def make():
        slide_prices()
        customer(REGION)
        customer(uid("other"), name="Kommun Väst", organisation_number="2129990004")
        for party in (REGION, uid("other")):
            facts.card(party, facts.office(f"office {party}", "Kontor A"), "589", local(2023, 4, 12), n=3)
        facts.count("2023-04", REGION, "Partille kommun", 7)
        run_month(APRIL, actor_ref="user:test", issue=True)

    made_once("two issued", facts, make)
    assert Invoice.objects.get(party_id=REGION).number == "2023-000002"
    return facts


def differences() -> dict[int, str]:
    return {check.number: " ".join(check.named) for check in reconcile(APRIL) if not check.ok}


def test_all_thirteen_are_zero_after_issue(issued):
    checks = reconcile(APRIL)
    assert [check.number for check in checks] == list(range(1, 14))
    assert differences() == {}


def test_all_are_zero_at_review_before_issue(small_sketches):
    run_month(APRIL, actor_ref="user:test")
    assert differences() == {}


def test_a_month_without_run(facts):
    with pytest.raises(NotFound) as refusal:
        reconcile(APRIL)
    assert refusal.value.message == "Det finns ingen körning för april 2023."


SECOND = "(SELECT id FROM billing_invoice WHERE number = '2023-000002')"
CARD_LINE = f"(SELECT id FROM billing_invoiceline WHERE invoice_id = {SECOND} AND kind = 'card')"
ONE_ENTRY = f"(SELECT min(entry_id) FROM billing_lineevent WHERE line_id = {CARD_LINE})"


@pytest.mark.parametrize(
    ("number", "statements", "named"),
    [
        (1, [f"DELETE FROM billing_lineevent WHERE entry_id = {ONE_ENTRY}"], "card:"),
        (3, [f"UPDATE billing_invoiceline SET net = net - 0.01 WHERE id = {CARD_LINE}"], "faktura 2023-000002 rad 1"),
        (3, [f"UPDATE billing_ledgerentry SET unit_price = 1 WHERE id = {ONE_ENTRY}"], "faktura 2023-000002 rad 1"),
        (4, ["UPDATE billing_invoice SET net = net + 1, vat = vat - 1 WHERE number = '2023-000002'"], "faktura 2023-000002"),
        (5, ["UPDATE billing_invoice SET vat = vat + 0.01, gross = gross + 0.01, payable = payable + 0.01"], "2023-000001"),
        (6, ["UPDATE billing_subscriptionsnapshot SET persons = 8"], "organisation"),
        (6, ["UPDATE billing_subscriptionsnapshot SET organisation_name = 'Annan'"], "organisation"),
        (8, ["UPDATE billing_invoice SET sequence = 3, number = '2023-000003' WHERE number = '2023-000002'"], "serie 2023"),
        (8, ["DELETE FROM billing_invoice WHERE number = '2023-000002'"], "räknare 2, högsta 1, antal 1"),
        (8, ["UPDATE billing_invoice SET issue_date = issue_date - 1 WHERE number = '2023-000002'"], "faktura 2023-000002"),
        (9, [f"UPDATE billing_invoiceline SET text = '589, Kontor B' WHERE id = {CARD_LINE}"], "faktura 2023-000002"),
        (9, ["UPDATE billing_invoice SET due_date = due_date + 30 WHERE number = '2023-000001'"], "faktura 2023-000001"),
        (9, ["UPDATE billing_invoice SET buyer = buyer || '{\"name\": \"Annan\"}' WHERE number = '2023-000001'"], "2023-000001"),
        (10, [f"DELETE FROM billing_invoicefile WHERE invoice_id = {SECOND} AND file_format = 'pdf'"], "faktura 2023-000002 pdf"),
        (10, ["UPDATE billing_document SET content = content || ' '::bytea WHERE media_type LIKE '%xml'"], "000001 peppol"),
        (11, [f"UPDATE billing_invoiceline SET net = net + 1 WHERE id = {CARD_LINE}"], "verifikation 2023-000002"),
        (12, ["UPDATE billing_invoice SET payable = payable + 1, rounding = 1 WHERE number = '2023-000002'"], "000002 pdf"),
        (13, ["DELETE FROM billing_runitem"], "kund"),
    ],
)  # fmt: skip
def test_tampering_is_seen_and_named(issued, number, statements, named):
    tamper(*statements)
    found = differences()
    assert number in found
    assert named in found[number]


def forge(number: str, *changes: str) -> None:
    """Changes an issued invoice as a superuser who knows the code: content and chain are recomputed to the counter."""
    tamper(*(f"UPDATE billing_invoice SET {change} WHERE number = '{number}'" for change in changes))
    previous = numbering.genesis("2023")
    for invoice in Invoice.objects.order_by("sequence"):
        invoice.content_sha256 = drafts.content_hash(frozen.content_of(invoice))
        chain = numbering.link_hash(invoice, previous)
        tamper(
            f"UPDATE billing_invoice SET content_sha256 = '{invoice.content_sha256}', previous_hash = '{previous}', "
            f"chain_hash = '{chain}' WHERE id = '{invoice.pk}'"
        )
        previous = chain
    tamper(f"UPDATE billing_counter SET last_hash = '{previous}'")


FORGED = ('buyer = buyer || \'{"name": "Annan"}\'', "due_date = due_date + 30")


def test_a_superuser_who_recomputes_the_chain_is_seen(issued):
    forge("2023-000001", *FORGED)
    found = differences()
    assert set(found) == {9, 10, 12}
    assert found[9] == "faktura 2023-000001 faktura 2023-000002"
    assert found[10] == found[12] == "faktura 2023-000001 peppol"
    text, code = verify("--app", "billing")
    assert code == 1
    assert "fakturor: FEL: 2023-000001, 2023-000002 (2 av 2 stämmer inte)" in text


def test_a_document_of_an_earlier_renderer_is_compared_but_not_rebuilt(issued):
    tamper("UPDATE billing_invoicefile SET renderer_version = 'ubl/0'")
    assert differences() == {}
    forge("2023-000001", *FORGED)
    assert set(differences()) == {9, 12}


def test_a_superuser_who_forges_event_and_document_as_well_is_seen_by_the_seal(issued):
    """The row, its UBL document, both events and all hashes agree with each other; the seals do not."""
    seals.seal(Event, EventSeal)
    forge("2023-000001", *FORGED)
    for invoice in Invoice.objects.all():
        tamper(
            f"UPDATE billing_event SET facts = '{json.dumps(numbering.facts_of(invoice))}' "
            f"WHERE action = 'invoice.issued' AND subject_ref = '{invoice.pk}'"
        )
    forged = frozen.numbered(Invoice.objects.get(number="2023-000001"))
    document = Document.store(ubl.build(forged), ubl.MEDIA_TYPE)
    tamper(
        f"UPDATE billing_invoicefile SET document_id = '{document.sha256}' WHERE file_format = 'peppol' AND invoice_id IN "
        "(SELECT id FROM billing_invoice WHERE number = '2023-000001')"
    )
    assert set(differences()) == {9, 10}
    check = verify_issued()
    assert (check.checked, check.wrong) == (2, ("2023-000001", "2023-000002"))


def test_an_invoice_that_is_gone_is_named_by_its_event(issued):
    tamper(
        f"DELETE FROM billing_invoicefile WHERE invoice_id = {SECOND}",
        "DELETE FROM billing_invoice WHERE number = '2023-000002'",
        "UPDATE billing_counter SET last = 1",
    )
    assert "faktura 2023-000002 saknas" in differences()[9]


def test_all_issued_invoices_agree(issued):
    seals.seal(Event, EventSeal)
    assert verify_issued() == IssuedCheck(2, ())


def test_an_entry_on_two_lines_is_seen_even_where_the_key_is_gone(issued):
    """The primary key makes it impossible, so the key has to go first; it comes back at the end."""
    key = "billing_lineevent_pkey"
    try:
        tamper(f"SELECT 1 FROM pg_constraint WHERE conname = '{key}'")
        schema(f"ALTER TABLE billing_lineevent DROP CONSTRAINT {key}")
        tamper(f"INSERT INTO billing_lineevent (entry_id, line_id) SELECT {ONE_ENTRY}, max(line_id) FROM billing_lineevent")
        assert 2 in differences()
    finally:
        tamper("DELETE FROM billing_lineevent")
        schema(f"ALTER TABLE billing_lineevent ADD CONSTRAINT {key} PRIMARY KEY (entry_id, generation)")


def schema(statement: str) -> None:
    options = connection.settings_dict
    with psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"]) as superuser:
        superuser.cursor().execute(statement)
    superuser.close()


def test_cards_sent_and_cards_entered_are_compared_both_ways(issued):
    issued.card(REGION, uid(f"office {REGION}"), "589", local(2023, 4, 13))
    assert differences() == {7: "kort: skickade 7, i liggaren 6"}
    del issued.cards[-3:]
    assert differences() == {7: "kort: skickade 4, i liggaren 6"}


def test_a_blocked_customers_events_are_a_difference(facts, prices):
    customer(REGION, buyer_reference="")
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12), n=7)
    run_month(APRIL, actor_ref="user:test", issue=True)
    (check,) = [check for check in reconcile(APRIL) if not check.ok]
    assert (check.number, check.value, len(check.named)) == (1, 7, 5)


def test_an_active_customer_without_a_place_is_named(issued):
    customer(uid("new"), organisation_number="2129990012")
    assert differences() == {13: f"kund {uid('new')}"}


def test_no_name_of_a_difference_is_a_persons(issued):
    tamper("UPDATE billing_subscriptionsnapshot SET persons = 8", "UPDATE billing_invoiceline SET net = net + 1")
    allowed = re.compile(r"^(faktura|verifikation|organisation|kund|serie|card:|sub:|skickade)")
    assert all(allowed.match(name) for check in reconcile(APRIL) for name in check.named)


def test_rows_that_no_longer_pass_the_gate_are_not_rendered(facts, prices):
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    run_month(APRIL, actor_ref="user:test", issue=True)
    tamper("DELETE FROM billing_invoicefile")
    net, buyer = "UPDATE billing_invoiceline SET net = net", "UPDATE billing_invoice SET buyer"
    own, official = f"{net} + 1", f"""{buyer} = jsonb_set(buyer, '{{country}}', '"XX"')"""
    for changes, rule in (((own,), "SITHS-R-001"), ((f"{net} - 1", official), "BR-CL-14")):
        tamper(*changes)
        with pytest.raises(Conflict) as refusal:
            rendering.render_missing(period=APRIL.first_day, actor_ref="user:test")
        assert refusal.value.message.startswith(f"Faktura 2023-000001 bryter mot {rule}")
