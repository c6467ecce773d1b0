"""Two people approve exactly what they reviewed; the tasks number nothing else, and continue wherever they were killed."""

import datetime as dt
import threading
from decimal import Decimal

import psycopg2
import pytest
from django.db import IntegrityError, connection, transaction

from billing import tasks
from billing.invoices.models import Counter, Invoice, InvoiceFile
from billing.records.domain.periods import Month
from billing.records.models import Event
from billing.runs.models import InvoiceRun, ItemState, RunApproval, RunItem, RunState
from billing.runs.services import approvals, requests, schedule
from billing.service import run_month
from issuance.authz import Role
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden
from tests.billing.facts import local, uid
from tests.billing.invoices.test_issuing import answer, start
from tests.billing.world import APRIL, MUNICIPALITY, REGION, customer

pytestmark = pytest.mark.django_db(transaction=True)
MINUTE = dt.timedelta(minutes=1)


@pytest.fixture
def world(page_world, small_sketches, woken):
    """Both customers of the slides, drafted in May, with two people of finance who have had their role for a minute."""
    page_world.finance = [officer(page_world, place) for place in ("region", "municipality")]
    run_month(APRIL, actor_ref="user:test")
    with clock.moved_to(clock.now() + MINUTE):
        yield page_world


def officer(world, place, role=Role.FINANCE_ADMIN):
    return world.world.officer(getattr(world, place), role)


def the_run() -> InvoiceRun:
    return InvoiceRun.objects.get()


def seen() -> str:
    return approvals.reviewed(the_run()).sha256


def test_two_people_let_the_tasks_number_and_render(world, woken):
    first, second = world.finance
    run, before = the_run(), approvals.reviewed(the_run())
    assert (before.invoices, before.net, before.blocked) == (2, Decimal("90660.00"), 0)
    approvals.release(actor=first, run_id=run.pk, seen=before.sha256)
    assert the_run().state == RunState.RELEASED
    tasks.issue(str(run.pk))
    assert Counter.objects.count() == 0, "nothing is numbered by one person"
    approvals.approve(actor=second, run_id=run.pk, seen=before.sha256)
    woken.work()
    assert the_run().state == RunState.ISSUED
    assert sorted(Invoice.objects.values_list("number", flat=True)) == ["2023-000001", "2023-000002"]
    assert InvoiceFile.objects.count() == 4
    assert [e.actor_ref for e in Event.objects.filter(action__in=["run.released", "run.approved"]).order_by("id")] == [
        first.ref,
        second.ref,
    ]
    assert all(each["value"] == "0" or Decimal(each["value"]) == 0 for each in the_run().checks.latest("made_at").differences)


def test_after_a_release_the_command_numbers_only_what_two_people_approved(world, woken):
    first, second = world.finance
    approvals.release(actor=first, run_id=the_run().pk, seen=seen())
    result = run_month(APRIL, actor_ref="system:billing_run", issue=True)
    assert (result.issued, result.drafted_only, Counter.objects.count()) == (0, 2, 0)
    approvals.approve(actor=second, run_id=the_run().pk, seen=seen())
    result = run_month(APRIL, actor_ref="system:billing_run", issue=True)
    assert (result.issued, result.drafted_only, result.rendered) == (2, 0, 4)


def test_one_person_alone_or_without_the_right_does_not(world):
    first, second = world.finance
    run = the_run()
    with pytest.raises(Forbidden):
        approvals.release(actor=officer(world, "region", Role.ID_ADMINISTRATOR), run_id=run.pk, seen=seen())
    with pytest.raises(Conflict, match="run-not-released"):
        approvals.approve(actor=second, run_id=run.pk, seen=seen())
    approvals.release(actor=first, run_id=run.pk, seen=seen())
    with pytest.raises(Conflict, match="run-released"):
        approvals.release(actor=second, run_id=run.pk, seen=seen())
    with pytest.raises(Forbidden):
        approvals.approve(actor=first, run_id=run.pk, seen=seen())
    with clock.moved_to(clock.now() + MINUTE):
        newcomer = officer(world, "clinic")
        with pytest.raises(Forbidden):
            approvals.approve(actor=newcomer, run_id=run.pk, seen=seen())
    approvals.approve(actor=second, run_id=run.pk, seen=seen())
    with pytest.raises(Conflict, match="run-approved"):
        approvals.approve(actor=second, run_id=run.pk, seen=seen())


def test_a_changed_draft_makes_the_approval_void(world, woken):
    first, second = world.finance
    run, old = the_run(), seen()
    approvals.release(actor=first, run_id=run.pk, seen=old)
    approvals.approve(actor=second, run_id=run.pk, seen=old)
    woken.clear()  # Redis lost the issue
    requests.redraft(actor=first, run_id=run.pk, party_id=MUNICIPALITY)
    with pytest.raises(Conflict, match="run-drafting"):
        approvals.release(actor=first, run_id=run.pk, seen=old)
    tasks.issue(str(run.pk))
    woken.sweep()
    assert Counter.objects.count() == 0
    assert the_run().state == RunState.REVIEW
    with pytest.raises(Conflict, match="drafts-changed"):
        approvals.release(actor=first, run_id=run.pk, seen=old)
    approvals.release(actor=second, run_id=run.pk, seen=seen())
    approvals.approve(actor=first, run_id=run.pk, seen=seen())
    woken.work()
    assert Invoice.objects.exclude(number=None).count() == 2
    assert RunApproval.objects.count() == 2


def test_a_customer_that_gets_other_data_is_drafted_and_reviewed_again(world, woken):
    first, _second = world.finance
    old = seen()
    approvals.release(actor=first, run_id=the_run().pk, seen=old)
    customer(REGION, name="Region Ny", organisation_number="2329990010")
    woken.sweep()
    assert the_run().state == RunState.REVIEW
    assert seen() != old
    assert {invoice.buyer["name"] for invoice in Invoice.objects.all()} == {"Region Ny", "Demo kommun"}


def test_a_blocked_customer_is_repaired_and_approved_later(world, facts, prices, woken):
    first, second = world.finance
    late = uid("late")
    facts.card(late, facts.office("late", "Kontor L"), "589", local(2023, 4, 13))
    requests.redraft(actor=first, run_id=the_run().pk)
    woken.sweep()
    assert approvals.reviewed(the_run()).blocked == 1
    approvals.release(actor=first, run_id=the_run().pk, seen=seen())
    approvals.approve(actor=second, run_id=the_run().pk, seen=seen())
    woken.work()
    assert Invoice.objects.exclude(number=None).count() == 2
    customer(late, name="Kommun Sen", organisation_number="2129990004")
    requests.redraft(actor=second, run_id=the_run().pk, party_id=late)
    woken.work()
    assert (the_run().state, approvals.reviewed(the_run()).invoices) == (RunState.REVIEW, 1)
    approvals.release(actor=second, run_id=the_run().pk, seen=seen())
    approvals.approve(actor=first, run_id=the_run().pk, seen=seen())
    woken.work()
    assert (the_run().state, Counter.objects.get().last) == (RunState.ISSUED, 3)


def test_the_database_lets_nobody_approve_alone_or_change_a_release(world):
    first, _second = world.finance
    approval = approvals.release(actor=first, run_id=the_run().pk, seen=seen())
    with pytest.raises(IntegrityError), transaction.atomic():
        RunApproval.objects.filter(pk=approval.pk).update(approved_by=first.ref, approved_at=clock.now())
    options = connection.settings_dict
    superuser = psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"])
    for change in (
        "UPDATE billing_runapproval SET net = 0",
        "DELETE FROM billing_runapproval",
        "TRUNCATE billing_runapproval",
    ):
        with superuser.cursor() as cursor, pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute(change)
        superuser.rollback()
    superuser.close()


def test_the_scheduled_job_opens_each_month_on_the_second_at_six(facts, prices, woken):
    with clock.moved_to(local(2023, 4, 3)):
        customer(REGION)
        facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 4, 12))
    with clock.moved_to(local(2023, 5, 2, 5, 59)):
        woken.sweep()
        assert not InvoiceRun.objects.exists()
    with clock.moved_to(local(2023, 5, 2, 6)):
        woken.sweep()
        woken.sweep()
    assert the_run().state == RunState.REVIEW
    facts.card(REGION, facts.office("a", "Kontor A"), "589", local(2023, 5, 12))
    with clock.moved_to(local(2023, 7, 2, 7)):  # June was missed
        for _ in range(3):
            woken.sweep()
    assert [run.period.month for run in InvoiceRun.objects.order_by("period")] == [4, 5, 6]
    assert not RunItem.objects.filter(state=ItemState.PENDING).exists()


def test_a_month_that_is_late_and_a_file_that_is_missing_are_measured(world, woken):
    schedule.measure()
    assert schedule._UNDRAFTED._value.get() == 0
    requests.redraft(actor=world.finance[0], run_id=the_run().pk)
    with clock.moved_to(schedule.due_at(APRIL) + dt.timedelta(hours=3)):
        schedule.measure()
    assert schedule._UNDRAFTED._value.get() == 3 * 3600
    woken.clear()
    run_month(APRIL, actor_ref="user:test")
    run = the_run()
    approvals.release(actor=world.finance[0], run_id=run.pk, seen=seen())
    approvals.approve(actor=world.finance[1], run_id=run.pk, seen=seen())
    tasks.issue(str(run.pk))
    woken.clear()
    with clock.moved_to(clock.now() + dt.timedelta(hours=2)):
        schedule.measure()
        assert schedule._UNRENDERED._value.get() == 7200
        woken.sweep()
        assert schedule._UNRENDERED._value.get() == 7200, "it is measured before the woken tasks ran"
        schedule.measure()
    assert schedule._UNRENDERED._value.get() == 0


def test_before_the_first_customer_nothing_is_opened(facts, prices, woken):
    woken.sweep()
    customer(REGION)
    woken.sweep()
    assert not InvoiceRun.objects.exists()
    assert list(schedule.due_months()) == []
    with clock.moved_to(local(2023, 6, 2, 6)):
        assert list(schedule.due_months()) == [Month(2023, 5)]


@pytest.mark.parametrize("point", ["billing.draft", "billing.issue", "billing.render.peppol", "billing.render.pdf"])
def test_a_killed_task_is_continued_by_the_sweeper(world, facts, woken, tmp_path, point):
    """The task dies and every wake-up is lost; the sweeper finds the work in the database."""
    first, second = world.finance
    run = the_run()
    what = point.split(".")[1]
    if what == "draft":
        requests.redraft(actor=first, run_id=run.pk)
    else:
        approvals.release(actor=first, run_id=run.pk, seen=seen())
        approvals.approve(actor=second, run_id=run.pk, seen=seen())
    if what == "render":
        tasks.issue(str(run.pk))
    woken.clear()
    armed = tmp_path / "faults"
    armed.mkdir()
    (armed / point).touch()
    assert answer(start(f"task-{what}", facts.save(tmp_path / "facts"), faults=armed))[0] == -9
    woken.sweep()
    if what == "draft":
        assert (the_run().state, approvals.reviewed(the_run()).invoices) == (RunState.REVIEW, 2)
    else:
        assert (the_run().state, Counter.objects.get().last) == (RunState.ISSUED, 2)
        assert InvoiceFile.objects.count() == 4


def test_two_tasks_at_once_share_the_work(world, facts, woken, tmp_path):
    first, second = world.finance
    facts_file = facts.save(tmp_path / "facts")
    for what in ("draft", "issue", "render"):
        if what == "draft":
            requests.redraft(actor=first, run_id=the_run().pk)
        elif what == "issue":
            approvals.release(actor=first, run_id=the_run().pk, seen=seen())
            approvals.approve(actor=second, run_id=the_run().pk, seen=seen())
        gate = tmp_path / what
        children = [start(f"task-{what}", facts_file, gate=gate) for _ in range(2)]
        gate.touch()
        answers = [answer(child) for child in children]
        assert [code for code, _ in answers] == [0, 0]
        assert sum(int(done) for _, done in answers) == (4 if what == "render" else 2)
    assert [invoice.sequence for invoice in Invoice.objects.order_by("sequence")] == [1, 2]


def test_of_two_who_release_at_once_one_wins(world):
    run, sha256 = the_run(), seen()
    results = []

    def release(actor):
        try:
            approvals.release(actor=actor, run_id=run.pk, seen=sha256)
            results.append("released")
        except Conflict as refusal:
            results.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=release, args=(each,)) for each in world.finance]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == ["released", "run-released"]
