"""The scheduled job beside others: one order of locks, customers that were repaired, and clocks that were wrong."""

import datetime as dt
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction

from billing import tasks
from billing.invoices.models import Counter, Invoice
from billing.invoices.services import series
from billing.ledger.services import ledger
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, RunItem, RunState
from billing.runs.services import approvals, issuing, schedule, withdrawing
from billing.service import run_month
from issuance.authz import Role
from siths_portal.lib import clock
from tests.billing.facts import local, uid
from tests.billing.invoices.test_pages import plain
from tests.billing.world import APRIL, REGION, customer, price

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = dt.timedelta(minutes=1)
MAY = Month(2023, 5)
LATE = uid("late")
ME = "user:test"


@pytest.fixture
def two(page_world, small_sketches, woken):
    """Two people of finance; both customers of the slides are drafted in May."""
    found = [page_world.world.officer(place, Role.FINANCE_ADMIN) for place in (page_world.region, page_world.municipality)]
    run_month(APRIL, actor_ref=ME)
    with clock.moved_to(clock.now() + MINUTE):
        yield found


def run_of(month: Month = APRIL) -> InvoiceRun:
    return InvoiceRun.objects.get(period=month.first_day)


def approve(run: InvoiceRun, people, *, release_only: bool = False) -> int:
    """Releases and approves what there is. Returns how many invoices it is."""
    found = approvals.reviewed(run)
    for step, actor in zip((approvals.release, approvals.approve)[: 1 if release_only else 2], people, strict=False):
        step(actor=actor, run_id=run.pk, seen=found.sha256)
    return found.invoices


# --- one order of locks ---------------------------------------------------------------------------------------------------


def wait_for_a_waiting_one() -> None:
    """Returns when another connection waits for a lock."""
    deadline = time.monotonic() + 20
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            if cursor.fetchone()[0]:
                return
            assert time.monotonic() < deadline
            time.sleep(0.02)


def beside(work: Callable[[], Any]) -> "Future[Any]":
    """Starts `work` on a connection of its own, at the present time."""
    moment = clock.now()

    def run() -> Any:
        try:
            with clock.moved_to(moment):
                return work()
        finally:
            connection.close()

    return ThreadPoolExecutor(1).submit(run)


def test_a_correction_and_the_issue_take_their_locks_in_one_order(two):
    run = run_of()
    with transaction.atomic(durable=True), withdrawing.holding_runs():
        other = beside(lambda: issuing.issue(run, actor_ref=ME))
        wait_for_a_waiting_one()
        withdrawing.draft_again(withdrawing.withdraw_drafts({REGION}))
    assert other.result(30) == 1, "the draft that was not withdrawn"


def test_a_dry_run_and_an_opening_take_their_locks_in_one_order(two):
    with transaction.atomic(durable=True):
        approvals.locked(run_of().pk)
        other = beside(lambda: run_month(APRIL, actor_ref=ME, dry_run=True))
        wait_for_a_waiting_one()
        with ledger.writing():
            pass
    assert other.result(30).drafted == 0


# --- repaired customers ---------------------------------------------------------------------------------------------------


@pytest.fixture
def blocked(two, facts):
    """A third customer of April, without customer data and without a price."""
    facts.card(LATE, facts.office("late", "Kontor L"), "610", local(2023, 4, 13))
    run_month(APRIL, actor_ref=ME)
    assert approvals.reviewed(run_of()).blocked == 1


def test_a_repaired_customer_is_drafted_again_by_itself(blocked, woken):
    woken.sweep()
    assert RunItem.objects.get(party_id=LATE).state == "blocked", "nothing was repaired"
    with clock.moved_to(clock.now() + 5 * MINUTE):
        customer(LATE, name="Kommun Sen", organisation_number="2129990004")
        woken.sweep()
    with clock.moved_to(clock.now() + 7 * MINUTE):
        tasks.continue_runs()
        assert "billing.draft" in [name for name, _ids in woken], "data may be committed after they were read"
        woken.work()
    assert [rule for rule, _text in RunItem.objects.get(party_id=LATE).reasons] == ["price-missing"]
    with clock.moved_to(clock.now() + 9 * MINUTE):
        woken.sweep()
        tasks.continue_runs()
        assert not [name for name, _ids in woken if name == "billing.draft"], "the same reason makes no work"
        price("610", "90")
        tasks.collect()
        woken.sweep()
    assert (run_of().state, approvals.reviewed(run_of()).invoices) == (RunState.REVIEW, 3)


def test_a_repair_takes_no_release_back(blocked, two, woken):
    price("610", "90")
    tasks.collect()
    woken.sweep()
    approve(run_of(), two, release_only=True)
    with clock.moved_to(clock.now() + 5 * MINUTE):
        customer(LATE, name="Kommun Sen", organisation_number="2129990004")
        woken.sweep()
        assert run_of().state == RunState.RELEASED
        approvals.approve(actor=two[1], run_id=run_of().pk, seen=approvals.reviewed(run_of()).sha256)
        woken.work()
        assert run_of().state == RunState.ISSUED
        woken.sweep()
    assert (run_of().state, approvals.reviewed(run_of()).invoices) == (RunState.REVIEW, 1)


# --- wrong clocks ---------------------------------------------------------------------------------------------------------


def test_a_clock_ahead_opens_a_month_that_then_waits_until_it_is_over(two, facts, woken):
    facts.card(REGION, uid("region Kontor A"), "589", local(2023, 5, 12))
    with clock.moved_to(local(2023, 6, 2, 6)):
        run_month(MAY, actor_ref=ME)
        count = approve(run_of(MAY), two)
        woken.clear()
    customer(REGION, name="Region Ny", organisation_number="2329990010")
    woken.sweep()
    tasks.issue(str(run_of(MAY).pk))
    assert not Counter.objects.exists(), "May is not over"
    assert "Region Ny" in [invoice.buyer["name"] for invoice in run_of().invoices.all()], "April goes on"
    with clock.moved_to(local(2023, 6, 2, 7)):
        woken.sweep()
        woken.sweep()
        assert run_of(MAY).state == RunState.REVIEW, "its customer has other data now"
        assert approve(run_of(MAY), two) == count
        woken.work()
    assert Counter.objects.get().last == count


def test_a_series_dated_ahead_stops_numbers_until_two_people_let_it_step_back(two, page_world, facts, woken):
    with clock.moved_to(local(2023, 8, 1)):
        issuing.issue(run_of(), actor_ref=ME)
        schedule.settle(run_of())
    facts.card(REGION, uid("region Kontor A"), "589", local(2023, 5, 12))
    with clock.moved_to(local(2023, 6, 2, 6)):
        run_month(MAY, actor_ref=ME)
        approve(run_of(MAY), two)
        woken.work()
        assert (run_of(MAY).state, Counter.objects.get().last) == (RunState.APPROVED, 2)
    with clock.moved_to(local(2023, 6, 2, 7)):
        woken.sweep()
        assert schedule._UNNUMBERED._value.get() == 3600, "the alarm's metric"
        finance = page_world.client(Role.FINANCE_ADMIN)
        page = finance.get("/fakturor/manadskorning/2023-05/").content.decode()
        assert "Numreringen har stannat" in page
        assert "2023-08-01 , efter dagens datum 2023-06-02" in plain(page.encode())
        assert "får inga nummer" in finance.get("/dagen/").content.decode()
        asked = series.request_correction(actor=two[0], reason="Klockan gick fel.")
        assert "En person har begärt" in finance.get("/fakturor/manadskorning/2023-05/").content.decode()
        series.approve_correction(actor=two[1], correction_id=asked.pk)
        assert "Numreringen har stannat" not in finance.get("/fakturor/manadskorning/2023-05/").content.decode()
        woken.sweep()
        assert run_of(MAY).state == RunState.ISSUED
        schedule.measure()
        assert schedule._UNNUMBERED._value.get() == 0
    assert [invoice.sequence for invoice in Invoice.objects.order_by("sequence")] == [1, 2, 3]
