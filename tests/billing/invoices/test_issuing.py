"""Numbers: gapless, in the customers' order, whoever races or dies; and an issued invoice never changes."""

import datetime as dt
import os
import subprocess
import sys
import threading
import time
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings
from django.db import DatabaseError, IntegrityError, connection, transaction

from billing.invoices.models import Counter, Invoice, InvoiceFile, InvoiceLine, LineEvent
from billing.invoices.services import numbering
from billing.ledger.models import LedgerEntry, UnpricedFact
from billing.ledger.services import ledger
from billing.reconciliation.services.reconcile import reconcile
from billing.records.domain.periods import Month
from billing.records.models import Event
from billing.runs.models import InvoiceRun
from billing.runs.services import drafting, issuing, runs
from billing.service import run_month
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict
from tests.billing.facts import Facts, local, uid
from tests.billing.world import APRIL, REGION, customer, made_once, slide_prices
from tests.waiting import sessions_waiting, wait_for

pytestmark = pytest.mark.django_db(transaction=True)
ME = "user:test"
CUSTOMERS = 6
FEW = CUSTOMERS if os.environ.get("SITHS_LONG") else 3
"""How many have a month that is killed or interrupted."""
NUMBERS = ["2329990002", "2129990004", "2329990010", "2129990012", "2129990020", "5599990008"]


@pytest.fixture
def many(facts: Facts, prices: None, tmp_path: Path) -> Path:
    """Six customers with cards and subscriptions; the facts' file for children."""
    return billed(facts, CUSTOMERS).save(tmp_path / "facts")


@pytest.fixture
def few(facts: Facts, prices: None, tmp_path: Path) -> Path:
    """The first of them, for the tests that kill."""
    return billed(facts, FEW).save(tmp_path / "facts")


def billed(facts: Facts, customers: int) -> Facts:
    for number in range(customers):
        party = uid(f"party {number}")
        customer(party, name=f"Kund {number}", organisation_number=NUMBERS[number])
        facts.card(party, facts.office(f"office {number}", "Kontor A"), "589", local(2023, 4, 3 + number, 12), n=2 + number)
        facts.count("2023-04", party, f"Kommun {number}", 10 + number)
    return facts


def start(what: str, facts_file: Path, *, gate: Path | None = None, faults: Path | None = None) -> "subprocess.Popen[str]":
    environment = {**os.environ, "SITHS_FAULT_DIR": str(faults)} if faults else dict(os.environ)
    command = [sys.executable, "-m", "tests.billing.worker", what, str(facts_file), *([str(gate)] if gate else [])]
    return subprocess.Popen(command, cwd=settings.BASE_DIR, env=environment, stdout=subprocess.PIPE, text=True)


def answer(child: "subprocess.Popen[str]") -> tuple[int, str]:
    out, _ = child.communicate(timeout=120)
    return child.returncode, out.strip()


def prepared(*, drafted: bool) -> InvoiceRun:
    ledger.collect()
    with transaction.atomic():
        run = runs.open_run(APRIL, actor_ref=ME)
    if drafted:
        drafting.draft_items(run, actor_ref=ME)
    return run


def everything_is_there_once(customers: int) -> None:
    """No gap, no double, nothing lost: numbers, ledger, lines, invoices and files agree."""
    assert [invoice.sequence for invoice in Invoice.objects.order_by("sequence")] == list(range(1, customers + 1))
    assert Counter.objects.get().last == customers
    assert LineEvent.objects.count() == LedgerEntry.objects.count() == sum(2 + n for n in range(customers)) + customers
    assert Event.objects.filter(action="invoice.issued").count() == customers
    assert InvoiceFile.objects.count() == 2 * customers
    assert [check for check in reconcile(APRIL) if not check.ok] == []


def test_numbers_follow_the_organisation_numbers(many):
    run_month(APRIL, actor_ref=ME, issue=True)
    ordered = [invoice.buyer["organisation_number"] for invoice in Invoice.objects.order_by("sequence")]
    assert ordered == sorted(NUMBERS)
    everything_is_there_once(CUSTOMERS)


def test_of_three_issuers_one_wins(many, tmp_path):
    prepared(drafted=True)
    gate = tmp_path / "gate"
    children = [start("issue", many, gate=gate) for _ in range(3)]
    gate.touch()
    assert sorted(answer(child) for child in children) == [(0, "0"), (0, "0"), (0, str(CUSTOMERS))]
    assert [invoice.sequence for invoice in Invoice.objects.order_by("sequence")] == list(range(1, CUSTOMERS + 1))
    assert Counter.objects.get().last == CUSTOMERS


def test_an_issuer_that_meets_another_waits_and_gives_no_number(many, monkeypatch):
    """The first stands still with its numbers given and not committed, until the second waits for it."""
    run, add, issued = prepared(drafted=True), issuing.outbox.add, list[int]()

    def issue_too():
        try:
            held.wait(60)
            issued.append(issuing.issue(run, actor_ref=ME))
        finally:
            connection.close()

    def hold(drafts):
        monkeypatch.setattr(issuing.outbox, "add", add)
        held.set()
        wait_for(lambda: sessions_waiting() > 0, "the second issuer")
        add(drafts)

    held, other = threading.Event(), threading.Thread(target=issue_too)
    monkeypatch.setattr(issuing.outbox, "add", hold)
    other.start()
    assert issuing.issue(run, actor_ref=ME) == CUSTOMERS
    other.join()
    assert issued == [0]
    assert Counter.objects.get().last == CUSTOMERS


def test_three_whole_runs_at_once_make_one(many, tmp_path, tally):
    gate = tmp_path / "gate"
    children = [start("run", many, gate=gate) for _ in range(3)]
    gate.touch()
    answers = [answer(child) for child in children]
    assert [code for code, _ in answers] == [0, 0, 0]
    assert sum(int(issued) for _, issued in answers) == CUSTOMERS
    everything_is_there_once(CUSTOMERS)
    tally.run(range(1, CUSTOMERS + 1), Invoice.objects.values_list("sequence", flat=True), "invoice numbers")


POINTS = ["billing.collect", "billing.draft", "billing.issue", "billing.render.peppol", "billing.render.pdf"]


@pytest.mark.parametrize("point", POINTS)
def test_killed_anywhere_and_repeated_loses_and_doubles_nothing(few, tmp_path, point, tally):
    faults = tmp_path / "faults"
    faults.mkdir()
    (faults / point).touch()
    code, _ = answer(start("run", few, faults=faults))
    assert code == -9, "the process died at the point"
    numbers = set(Invoice.objects.exclude(number=None).values_list("number", flat=True))
    run_month(APRIL, actor_ref=ME, issue=True)
    assert numbers <= set(Invoice.objects.values_list("number", flat=True)), "a number once given stays"
    everything_is_there_once(FEW)
    tally.run(range(1, FEW + 1), Invoice.objects.values_list("sequence", flat=True), "invoice numbers")


def test_drafters_killed_while_others_work(few, tmp_path):
    prepared(drafted=False)
    faults = tmp_path / "faults"
    faults.mkdir()
    killed = 0
    for _ in range(2):
        (faults / "billing.draft").touch()
        gate = tmp_path / "gate"
        children = [start("draft", few, gate=gate, faults=faults) for _ in range(2)]
        gate.touch()
        killed += [answer(child)[0] for child in children].count(-9)
    assert killed >= 1
    run_month(APRIL, actor_ref=ME, issue=True)
    everything_is_there_once(FEW)


def test_an_item_held_by_a_worker_that_dies_is_taken_over(few, tmp_path):
    """The worker waits, in its transaction, for a lock that we hold; another worker must wait for it, not pass it by."""
    run = prepared(drafted=False)
    import psycopg2

    options = connection.settings_dict
    with psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"]) as superuser:
        cursor = superuser.cursor()
        cursor.execute("LOCK TABLE billing_invoice IN EXCLUSIVE MODE")
        child = start("draft", few)
        deadline = time.monotonic() + 150
        waiting = (
            "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'billing_invoice'::regclass "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        )
        while True:
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                break
            assert time.monotonic() < deadline
            time.sleep(0.02)
        child.kill()
        answer(child)
        superuser.rollback()
    superuser.close()
    assert drafting.draft_items(run, actor_ref=ME) == FEW


# --- series, dates --------------------------------------------------------------------------------------------------------


def issue_month(facts: Facts, month: Month, moment: dt.datetime) -> None:
    facts.card(REGION, uid("a"), "589", month.start + dt.timedelta(days=5))
    with clock.moved_to(moment):
        run_month(month, actor_ref=ME, issue=True)


def test_a_new_year_is_a_new_series(facts, prices):
    customer(REGION)
    facts.office("a", "Kontor A")
    issue_month(facts, Month(2023, 11), local(2023, 12, 2, 6))
    issue_month(facts, Month(2023, 12), local(2024, 1, 2, 6))
    issue_month(facts, Month(2024, 1), local(2024, 2, 2, 6))
    assert list(Invoice.objects.order_by("period").values_list("number", flat=True)) == [
        "2023-000001",
        "2024-000001",
        "2024-000002",
    ]
    second = Invoice.objects.get(number="2024-000002")
    assert second.previous_hash == Invoice.objects.get(number="2024-000001").chain_hash


def test_the_issue_date_is_stockholms(facts, prices):
    customer(REGION, payment_terms_days=20)
    facts.office("a", "Kontor A")
    issue_month(facts, APRIL, dt.datetime(2023, 5, 2, 22, 30, tzinfo=dt.UTC))
    invoice = Invoice.objects.get()
    assert (invoice.issue_date, invoice.due_date) == (dt.date(2023, 5, 3), dt.date(2023, 5, 23))


def test_a_clock_that_went_back_gives_no_numbers(facts, prices, tally):
    customer(REGION)
    facts.office("a", "Kontor A")
    issue_month(facts, APRIL, local(2023, 6, 2, 6))
    with pytest.raises(Conflict, match="issue-date-backwards"):
        issue_month(facts, Month(2023, 3), local(2023, 6, 1, 6))
    assert Counter.objects.get().last == 1
    numbers = Invoice.objects.exclude(number=None).values_list("number", flat=True)
    tally.run(["2023-000001"], numbers, "invoice numbers")


# --- what the database refuses --------------------------------------------------------------------------------------------


@pytest.fixture
def issued(facts) -> Invoice:
    def make():
        slide_prices()
        customer(REGION)
        facts.office("a", "Kontor A")
        issue_month(facts, APRIL, local(2023, 5, 2, 6))

    made_once("one card issued", facts, make)
    return Invoice.objects.get()


FORBIDDEN = [
    "UPDATE billing_invoice SET payable = 1, gross = 1, net = 1, vat = 0",
    "UPDATE billing_invoice SET number = NULL, state = 'draft', series = NULL, sequence = NULL, issue_date = NULL",
    "UPDATE billing_invoice SET buyer = '{}'",
    "DELETE FROM billing_lineevent",
    "UPDATE billing_lineevent SET line_id = line_id",
    "DELETE FROM billing_invoiceline",
    "UPDATE billing_invoiceline SET net = 0",
    "INSERT INTO billing_invoiceline SELECT id + 1000, 99, kind, office_id, organisation_id, article_code, text, quantity, "
    "unit_price, vat_rate, net, period, invoice_id FROM billing_invoiceline",
    "DELETE FROM billing_invoicefile",
    "UPDATE billing_document SET content = ''",
    "TRUNCATE billing_invoice CASCADE",
    "TRUNCATE billing_invoiceline CASCADE",
    "TRUNCATE billing_lineevent",
    "DELETE FROM billing_event",
    "DELETE FROM billing_subscriptionsnapshot",
    "UPDATE billing_counter SET last = last + 1",
    "UPDATE billing_counter SET last = 0",
    "UPDATE billing_counter SET last_date = last_date + 1",
    "UPDATE billing_counter SET last_hash = repeat('0', 64)",
    "UPDATE billing_counter SET series = '2024'",
    "INSERT INTO billing_counter SELECT '2024', 7, last_date, last_hash FROM billing_counter",
    "INSERT INTO billing_counter SELECT '2024', 0, NULL, last_hash FROM billing_counter",
    "DELETE FROM billing_counter",
]


def test_what_is_issued_cannot_change(issued, facts, subtests):
    """One invoice for all, since none of them may touch it."""
    facts.count("2023-03", REGION, "Partille kommun", 1)
    with clock.moved_to(local(2023, 5, 2, 7)), transaction.atomic():
        runs.open_run(Month(2023, 3), actor_ref=ME)
    for statement in FORBIDDEN:
        with subtests.test(statement=statement):
            with pytest.raises(DatabaseError), connection.cursor() as cursor:
                cursor.execute(statement)
            assert [check.number for check in reconcile(APRIL) if not check.ok] == []


def test_an_invoice_cannot_begin_with_a_number(issued):
    copy = Invoice.objects.get()
    copy.pk, copy.number, copy.sequence, copy.party_id = uid("copy"), "2023-000002", 2, uid("other")
    with pytest.raises(DatabaseError):
        copy.save(force_insert=True)


def test_an_entry_is_never_on_two_lines(facts, prices):
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    facts.card(REGION, facts.office("b", "Kontor B"), "589", local(2023, 4, 12))
    run_month(APRIL, actor_ref=ME)
    one, other = LineEvent.objects.all()
    with pytest.raises(IntegrityError):
        LineEvent.objects.bulk_create([LineEvent(entry_id=one.entry_id, line_id=other.line_id)])


def test_a_draft_may_go(facts, prices):
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    run_month(APRIL, actor_ref=ME)
    Invoice.objects.all().delete()
    assert not InvoiceLine.objects.exists()
    assert not LineEvent.objects.exists()
    assert LedgerEntry.objects.count() == 1
    assert not UnpricedFact.objects.exists()


def test_amounts_of_an_invoice_add_up_in_the_database(facts, prices):
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    run_month(APRIL, actor_ref=ME)
    with pytest.raises(IntegrityError):
        Invoice.objects.update(gross=Decimal("1.00"))


def test_the_hash_covers_the_whole_of_what_is_issued(issued):
    expected = numbering.link_hash(issued, numbering.genesis("2023"))
    assert issued.chain_hash == expected
    issued.payment_reference = "1"
    assert numbering.link_hash(issued, numbering.genesis("2023")) != expected
