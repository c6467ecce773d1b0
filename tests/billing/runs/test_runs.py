"""A month's run from opening to review: who is in, what blocks, and that repeating changes nothing."""

import datetime as dt
import threading
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from billing.customers.models import BillingCustomer, CustomerState
from billing.invoices.models import Invoice, InvoiceLine, LineEvent
from billing.ledger.models import FeedPosition, LedgerEntry, SubscriptionSnapshot
from billing.ledger.services import ledger
from billing.records.domain.periods import Month
from billing.records.models import Event
from billing.runs.models import InvoiceRun, RunItem
from billing.runs.services import drafting, runs
from billing.service import run_month
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid
from tests.billing.facts import Facts, local, uid
from tests.billing.world import APRIL, IN_MAY, REGION, customer, price

pytestmark = pytest.mark.django_db(transaction=True)
SENT = local(2023, 4, 12, 9)
ME = "user:test"
TABLES = (LedgerEntry, InvoiceRun, RunItem, Invoice, InvoiceLine, LineEvent, SubscriptionSnapshot, Event, FeedPosition)


def counted() -> list[int]:
    return [model.objects.count() for model in TABLES]


def documents() -> list[tuple[str, str]]:
    """What the drafts say, whatever order their rows were made in."""
    return sorted((str(draft.party_id), draft.content_sha256) for draft in Invoice.objects.all())


def states() -> dict[str, str]:
    return {customer.name: customer.state for customer in run_month(APRIL, actor_ref=ME).customers}


@pytest.mark.parametrize("moment", [local(2023, 4, 30, 23, 59, 59), local(2023, 3, 1)])
def test_a_month_that_is_not_over_is_refused(facts, moment):
    with clock.moved_to(moment), pytest.raises(Invalid) as refusal:
        run_month(APRIL, actor_ref=ME)
    assert refusal.value.message.startswith("April 2023 är inte slut")
    assert not InvoiceRun.objects.exists()


def test_a_month_is_over_at_midnight_in_stockholm(facts, prices):
    with clock.moved_to(local(2023, 5, 1)):
        assert run_month(APRIL, actor_ref=ME).customers == ()


def test_running_again_changes_nothing(small_sketches):
    first = run_month(APRIL, actor_ref=ME)
    before = counted(), documents()
    second = run_month(APRIL, actor_ref=ME)
    assert (counted(), documents()) == before
    assert (first.drafted, second.drafted) == (2, 0)
    run_month(APRIL, actor_ref=ME, issue=True)
    before = counted(), documents()
    third = run_month(APRIL, actor_ref=ME, issue=True)
    assert (counted(), documents()) == before
    assert (third.drafted, third.issued, third.rendered) == (0, 0, 0)
    assert InvoiceRun.objects.get().state == "issued"


def test_a_dry_run_says_the_same_and_leaves_nothing(small_sketches):
    before = counted()
    rehearsed = run_month(APRIL, actor_ref=ME, dry_run=True)
    assert counted() == before
    assert rehearsed.customers == run_month(APRIL, actor_ref=ME).customers


def test_events_of_the_next_month_stay_out(facts, prices):
    customer(REGION)
    office = facts.office("a", "Kontor A")
    facts.card(REGION, office, "589", local(2023, 4, 30, 23, 59, 59, 999000))
    facts.card(REGION, office, "589", local(2023, 5, 1), n=2)
    run_month(APRIL, actor_ref=ME)
    assert InvoiceLine.objects.get().quantity == Decimal(1)
    with clock.moved_to(local(2023, 6, 2)):
        run_month(Month(2023, 5), actor_ref=ME)
    assert Invoice.objects.get(period=dt.date(2023, 5, 1)).lines.get().quantity == Decimal(2)


def test_a_price_change_in_the_month_gives_two_lines(facts):
    price("589", "90")
    price("589", "99.50", valid_from=dt.date(2023, 4, 10))
    customer(REGION)
    office = facts.office("a", "Kontor A")
    facts.card(REGION, office, "589", SENT, ordered=local(2023, 4, 9, 12), n=2)
    facts.card(REGION, office, "589", SENT, ordered=local(2023, 4, 10, 12), n=3)
    run_month(APRIL, actor_ref=ME)
    assert [(line.quantity, line.net) for line in InvoiceLine.objects.order_by("position")] == [
        (Decimal(2), Decimal("180.00")),
        (Decimal(3), Decimal("298.50")),
    ]


def test_a_late_event_goes_to_the_next_run_with_its_own_period(facts, prices):
    customer(REGION)
    office = facts.office("a", "Kontor A")
    facts.card(REGION, office, "589", SENT)
    run_month(APRIL, actor_ref=ME, issue=True)
    facts.card(REGION, office, "589", SENT, n=4)
    facts.card(REGION, office, "589", local(2023, 5, 5))
    assert run_month(APRIL, actor_ref=ME, issue=True).issued == 0
    with clock.moved_to(local(2023, 6, 2)):
        run_month(Month(2023, 5), actor_ref=ME, issue=True)
    invoice = Invoice.objects.get(period=dt.date(2023, 5, 1))
    assert [(line.text, line.quantity) for line in invoice.lines.order_by("position")] == [
        ("589, Kontor A, avser april 2023", Decimal(4)),
        ("589, Kontor A", Decimal(1)),
    ]
    assert b"<cbc:StartDate>2023-04-01</cbc:StartDate>\n    <cbc:EndDate>2023-05-31</cbc:EndDate>" in bytes(
        invoice.files.get(file_format="peppol").document.content
    )


def test_the_comment_is_read_at_draft_and_frozen(facts, prices):
    customer(REGION)
    office = facts.office("a", "Kontor A")
    facts.card(REGION, office, "589", SENT)
    facts.comments[office] = "Kontor Ä"
    run_month(APRIL, actor_ref=ME)
    facts.comments[office] = "Kontor Ö"
    run_month(APRIL, actor_ref=ME, issue=True)
    assert InvoiceLine.objects.get().text == "589, Kontor Ä"


def test_two_offices_with_one_comment_are_two_lines(facts, prices):
    customer(REGION)
    for name in ("a", "b"):
        facts.card(REGION, facts.office(name, "Kontor A"), "589", SENT)
    run_month(APRIL, actor_ref=ME)
    assert [line.text for line in InvoiceLine.objects.all()] == ["589, Kontor A"] * 2


def test_registered_mail_is_an_article_of_its_own(facts, prices):
    price("589-REK", "155")
    customer(REGION)
    office = facts.office("a", "Kontor A")
    facts.card(REGION, office, "589-REK", SENT)
    facts.card(REGION, office, "589", SENT)
    run_month(APRIL, actor_ref=ME)
    assert [line.text for line in InvoiceLine.objects.order_by("position")] == ["589, Kontor A", "589 REK, Kontor A"]


# --- what blocks, and that it blocks one only -----------------------------------------------------------------------------


def two_customers(facts: Facts, **changes: object) -> None:
    customer(REGION, name="Stoppad", **changes)
    customer(uid("good"), name="Frisk", organisation_number="2129990004")
    for party in (REGION, uid("good")):
        facts.card(party, facts.office(f"office {party}", "Kontor"), "589", SENT)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"buyer_reference": ""}, "PEPPOL-EN16931-R003"),
        ({"organisation_number": "2329990003"}, "PEPPOL-COMMON-R049"),
        ({"endpoint_scheme": "0088", "endpoint_id": "7300010000002"}, "PEPPOL-COMMON-R040"),
        ({"endpoint_scheme": "1234", "endpoint_id": "1"}, "PEPPOL-EN16931-CL008"),
        ({"city": ""}, "SITHS-R-008"),
        ({"state": CustomerState.PENDING}, "customer-pending"),
    ],
)
def test_what_is_missing_or_wrong_blocks_one_customer_only(facts, prices, changes, rule):
    two_customers(facts, **changes)
    result = run_month(APRIL, actor_ref=ME, issue=True)
    assert {c.name: c.state for c in result.customers} == {"Frisk": "issued", "Stoppad": "blocked"}
    assert result.blocked == 1
    assert rule in [reason[0] for reason in RunItem.objects.get(state="blocked").reasons]
    assert Invoice.objects.get().number == "2023-000001"


def test_a_missing_price_blocks_one_customer_only_until_it_is_set(facts, prices):
    two_customers(facts)
    facts.card(REGION, uid(f"office {REGION}"), "610", SENT)
    assert states() == {"Frisk": "drafted", "Stoppad": "blocked"}
    assert RunItem.objects.get(state="blocked").reasons == [
        ["price-missing", "Pris saknas för artikel 610 på dagen som bestämmer priset."]
    ]
    price("610", "90")
    assert states() == {"Frisk": "drafted", "Stoppad": "drafted"}
    assert Invoice.objects.get(party_id=REGION).lines.count() == 2


def test_an_unknown_customer_is_blocked_not_forgotten(facts, prices):
    facts.card(REGION, facts.office("a", "Kontor A"), "589", SENT)
    (result,) = run_month(APRIL, actor_ref=ME).customers
    assert (result.state, result.reasons) == ("blocked", ("Kunduppgifter för fakturering saknas.",))


def test_an_office_that_is_gone_blocks(facts, prices):
    customer(REGION)
    facts.card(REGION, uid("gone"), "589", SENT)
    (result,) = run_month(APRIL, actor_ref=ME).customers
    assert (result.state, result.reasons) == ("blocked", ("Ett kontor som kort beställdes genom finns inte längre.",))


def test_blocked_today_issued_tomorrow_with_the_next_number(facts, prices):
    two_customers(facts, buyer_reference="")
    run_month(APRIL, actor_ref=ME, issue=True)
    assert InvoiceRun.objects.get().state == "issued"
    with clock.moved_to(IN_MAY + dt.timedelta(days=1)):
        customer(REGION, name="Stoppad", buyer_reference="9200101")
        result = run_month(APRIL, actor_ref=ME, issue=True)
    assert (result.issued, result.blocked) == (1, 0)
    assert Invoice.objects.get(party_id=REGION).number == "2023-000002"


def test_a_customer_that_stays_blocked_gets_one_event(facts, prices):
    two_customers(facts, buyer_reference="")
    run_month(APRIL, actor_ref=ME)
    run_month(APRIL, actor_ref=ME)
    assert Event.objects.filter(action="item.blocked").count() == 1


def test_a_customer_with_nothing_gets_no_number(facts, prices):
    customer(REGION)
    (result,) = run_month(APRIL, actor_ref=ME, issue=True).customers
    assert (result.state, result.number) == ("empty", None)
    assert not Invoice.objects.exists()


def test_an_ended_customer_gets_a_last_invoice(facts, prices):
    two_customers(facts, state=CustomerState.ENDED)
    assert states() == {"Frisk": "drafted", "Stoppad": "drafted"}


def test_new_terms_after_the_draft_make_a_new_draft(facts, prices):
    two_customers(facts)
    run_month(APRIL, actor_ref=ME)
    old = Invoice.objects.get(party_id=REGION)
    with clock.moved_to(IN_MAY + dt.timedelta(hours=1)):
        customer(REGION, name="Stoppad", buyer_reference="NY-REF")
        result = run_month(APRIL, actor_ref=ME, issue=True)
    new = Invoice.objects.get(party_id=REGION)
    assert (new.buyer["buyer_reference"], result.drafted, result.issued) == ("NY-REF", 1, 2)
    assert new.pk != old.pk
    assert LineEvent.objects.count() == LedgerEntry.objects.count()


def test_the_same_terms_again_make_no_new_version(facts):
    customer(REGION)
    with clock.moved_to(IN_MAY + dt.timedelta(hours=1)):
        customer(REGION)
    assert BillingCustomer.objects.count() == 1


def test_a_customer_that_comes_after_the_opening_gets_a_place(facts, prices):
    run_month(APRIL, actor_ref=ME)
    customer(REGION)
    assert [c.name for c in run_month(APRIL, actor_ref=ME).customers] == ["Region Norr"]


# --- subscriptions --------------------------------------------------------------------------------------------------------


def test_subscriptions_are_counted_once_at_the_months_end(facts, prices):
    customer(REGION)
    facts.count("2023-04", REGION, "Partille kommun", 7)
    facts.count("2023-04", REGION, "Tomma kommun", 0)
    run_month(APRIL, actor_ref=ME)
    facts.counts["2023-04"].clear()
    facts.count("2023-04", REGION, "Partille kommun", 99)
    run_month(APRIL, actor_ref=ME, issue=True)
    line = InvoiceLine.objects.get()
    assert (line.text, line.quantity) == ("SITHS-abonnemang, Partille kommun", Decimal(7))
    assert [row.persons for row in SubscriptionSnapshot.objects.order_by("-persons")] == [7, 0]


def test_a_subscription_has_the_price_of_the_months_last_day(facts):
    price("ABO", "95")
    price("ABO", "100", valid_from=dt.date(2023, 4, 30))
    price("ABO", "200", valid_from=dt.date(2023, 5, 1))
    customer(REGION)
    facts.count("2023-04", REGION, "Partille kommun", 1)
    run_month(APRIL, actor_ref=ME)
    assert InvoiceLine.objects.get().unit_price == Decimal(100)


# --- any order, any number of workers -------------------------------------------------------------------------------------


def many(facts: Facts, customers: int = 5) -> None:
    for number in range(customers):
        party = uid(f"party {number}")
        customer(party, name=f"Kund {number}", organisation_number=["2329990002", "2129990004", "2329990010"][number % 3])
        for name in ("Kontor A", "Kontor Å"):
            office = facts.office(f"{name} {number}", name)
            for day in (1, 15, 30):
                facts.card(party, office, ["589", "689"][day % 2], local(2023, 4, day, 12), n=1 + number)
        facts.count("2023-04", party, f"Kommun {number}", 10 + number)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_any_order_of_events_gives_the_same_documents(facts, prices, seed):
    many(facts)
    with_rollback = run_month(APRIL, actor_ref=ME, dry_run=True)
    facts.shuffled(seed)
    assert run_month(APRIL, actor_ref=ME).customers == with_rollback.customers


def test_two_workers_give_the_documents_of_one(facts, prices):
    many(facts, customers=8)
    ledger.collect()
    with transaction.atomic():
        run = runs.open_run(APRIL, actor_ref=ME)
    done: list[int] = []

    def work() -> None:
        with clock.moved_to(IN_MAY):
            done.append(drafting.draft_items(run, actor_ref=ME))
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    together = documents()
    assert sum(done) == 8
    assert LineEvent.objects.count() == LedgerEntry.objects.count()
    Invoice.objects.all().delete()
    RunItem.objects.update(state="pending")
    assert drafting.draft_items(run, actor_ref=ME) == 8
    assert documents() == together


def test_the_number_of_queries_of_a_draft_does_not_depend_on_events_or_lines(facts, prices):
    many(facts, customers=4)
    run_month(APRIL, actor_ref=ME, dry_run=True)
    ledger.collect()
    with transaction.atomic():
        run = runs.open_run(APRIL, actor_ref=ME)
    with CaptureQueriesContext(connection) as few:
        assert drafting.draft_items(run, actor_ref=ME) == 4
    statements = [q["sql"] for q in few if not q["sql"].startswith(("BEGIN", "COMMIT"))]
    assert len(statements) <= 4 * 10 + 2, "\n".join(statements)


def test_opening_takes_as_many_queries_for_many_customers_as_for_few(facts, prices):
    counts = []
    for size in (2, 12):
        facts.counts.clear()
        many(facts, customers=size)
        ledger.collect()
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            runs.open_run(APRIL, actor_ref=ME)
            transaction.set_rollback(True)
        counts.append(len(captured))
    assert counts[0] == counts[1]


def test_entries_are_linked_in_linear_time_without_table_statistics(facts, prices):
    """Neither the month's index, which holds all customers, nor a loop over the lines is in the plan."""
    customer(REGION)
    facts.card(REGION, facts.office("a", "Kontor A"), "589", SENT, n=3)
    run_month(APRIL, actor_ref=ME)
    invoice = Invoice.objects.get()
    values = {"invoice": invoice.pk, "party": REGION, "period": invoice.period, "cutoff": 10**9}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(drafting.HASH_JOINS)
        cursor.execute(f"EXPLAIN {drafting._LINK}", values)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Hash Join" in plan
    assert "billing_ledger_period" not in plan
    assert "Nested Loop" not in plan


@pytest.mark.parametrize("number", ["232999-0002", "232 999 0002", "162329990002", "16232999-0002", "232999–0002"])
def test_an_organisation_number_is_stored_without_hyphen(facts, number):
    customer(REGION, organisation_number=number)
    stored = BillingCustomer.objects.get()
    assert (stored.organisation_number, stored.endpoint_id) == ("2329990002", "2329990002")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"organisation_number": "2329990002-12"}, "Organisationsnumret får ha högst 10 tecken."),
        ({"country": "SWE"}, "Landskoden får ha högst 2 tecken."),
        ({"endpoint_scheme": "00007"}, "Typen av elektronisk adress får ha högst 4 tecken."),
        ({"name": "x" * 201}, "Kundens namn får ha högst 200 tecken."),
        ({"payment_terms_days": -1}, "Antalet dagar att betala har ett värde som inte går att använda."),
        ({"payment_terms_days": 99999}, "Antalet dagar att betala har ett värde som inte går att använda."),
        ({"payment_terms_days": 9999}, "Antalet dagar att betala ska vara 1–120."),
        ({"payment_terms_days": 0}, "Antalet dagar att betala ska vara 1–120."),
    ],
)
def test_what_the_table_cannot_hold_is_refused_with_a_line(facts, changes, message):
    with pytest.raises(Invalid) as refusal:
        customer(REGION, **changes)
    assert refusal.value.message == message
    assert not BillingCustomer.objects.exists()


@pytest.mark.parametrize(
    ("code", "amount", "message"),
    [
        ("589", "123456789", "Priset får ha högst 8 siffror före och 4 efter decimalkommat."),
        ("589", "1.00001", "Priset får ha högst 8 siffror före och 4 efter decimalkommat."),
        ("589", "-1", "Priset och momsen för artikel 589 får inte vara negativa."),
        ("5" * 21, "1", "Artikelnumret får ha högst 20 tecken."),
    ],
)
def test_a_price_that_the_table_cannot_hold_is_refused_with_a_line(facts, code, amount, message):
    with pytest.raises(Invalid) as refusal:
        price(code, amount)
    assert refusal.value.message == message


def test_a_draft_that_other_rules_judged_is_made_again_before_it_gets_a_number(facts, prices):
    """As after an update of the rules: without that, a draft of yesterday gets a number that today's rules refuse."""
    customer(REGION, country="XX")
    facts.card(REGION, facts.office("a", "Kontor A"), "589", SENT)
    with pytest.MonkeyPatch.context() as earlier:
        earlier.setattr("billing.documents.validation.check", lambda xml: [])
        earlier.setattr("billing.documents.validation.VERSION", "gate/0")
        run_month(APRIL, actor_ref=ME)
    assert Invoice.objects.count() == 1
    result = run_month(APRIL, actor_ref=ME, issue=True)
    assert (result.issued, result.blocked) == (0, 1)
    assert not Invoice.objects.exists()
