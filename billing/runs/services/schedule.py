"""The scheduled job of the month: opens and drafts it on the second at 06:00, and continues what a killed worker or a lost
wake-up left.

Each function may run twice, at once and again. The database says what there is to do: a run without a count or with pending
items is drafted, an approved run is issued, an issued invoice without a file is rendered.
"""

import datetime as dt
from collections.abc import Iterator
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, Min, OuterRef, Q, QuerySet

from billing.customers.models import BillingCustomer, CustomerState
from billing.invoices.services import rendering
from billing.ledger.services import ledger
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, ItemState, RunItem, RunState
from billing.runs.services import approvals, drafting, issuing, runs
from siths_portal.lib import clock
from siths_portal.lib.clock import STOCKHOLM
from siths_portal.lib.monitoring import metrics
from siths_portal.lib.processes import jobs

ACTOR = "system:billing"
_DRAFT = "billing.draft"
_ISSUE = "billing.issue"
_RENDER = "billing.render"
_RECONCILE = "billing.reconcile"
WORKERS = 4
"""How many tasks draft or render a run at once. Workers that are not there take no task, and a task without work ends at once."""
_SECONDS = 60.0
"""How long a task begins new invoices. Celery ends a task after five minutes."""
_DAY, _HOUR = 2, 6
LATE = dt.timedelta(hours=2)
"""After this time a month without drafts is late; the alarm MonthNotDrafted has the same limit."""

_UNDRAFTED = metrics.gauge(
    "billing_month_undrafted_seconds", "How long ago the oldest month without drafts was due to be drafted", mode="mostrecent"
)
_UNRENDERED = metrics.gauge(
    "billing_invoices_unrendered_seconds", "How long the oldest issued invoice has waited for its files", mode="mostrecent"
)


def due_at(month: Month) -> dt.datetime:
    """Returns when the month is to be drafted: on the second of the next month at 06:00 in Stockholm."""
    day = month.following().first_day.replace(day=_DAY)
    return dt.datetime.combine(day, dt.time(_HOUR), tzinfo=STOCKHOLM).astimezone(dt.UTC)


def due_months() -> Iterator[Month]:
    """Yields the months that are due and have no run, the oldest first.

    They follow the newest run. Without any run they begin with the month in which the first customer became active.
    """
    newest = InvoiceRun.objects.order_by("-period").first()
    if newest:
        month = Month.of_day(newest.period).following()
    else:
        first = BillingCustomer.objects.filter(state=CustomerState.ACTIVE).aggregate(first=Min("valid_from"))["first"]
        if first is None:
            return
        month = Month.of(first)
    while due_at(month) <= clock.now():
        yield month
        month = month.following()


def undrafted() -> QuerySet[InvoiceRun]:
    """Returns the runs that are asked for but not counted, or have pending items; the oldest first."""
    pending = RunItem.objects.filter(run=OuterRef("pk"), state=ItemState.PENDING)
    return InvoiceRun.objects.filter(Q(snapshot_at=None) | Exists(pending)).order_by("period")


def open_due() -> InvoiceRun | None:
    """Asks for the run of the oldest month that is due, if there is one, and wakes the task that drafts it.

    Waits with the next month while another one is drafted, since entries that wait go to the month that is drafted first.
    """
    with transaction.atomic(durable=True):
        month = next(due_months(), None)
        if month is None or undrafted().exists():
            return None
        run = runs.request_run(month)
        wake_drafting(run)
        return run


def draft(run_id: UUID) -> int:
    """Opens the run if needed and drafts pending items. Returns how many; the task that drafts the last one ends the drafting."""
    run = InvoiceRun.objects.filter(pk=run_id).first()
    if run is None:
        return 0
    if run.snapshot_at is None:
        ledger.collect()
        with transaction.atomic(durable=True):
            run = runs.open_run(Month.of_day(run.period), actor_ref=ACTOR)
            wake_drafting(run, WORKERS - 1)
    drafted = drafting.draft_items(run, actor_ref=ACTOR, seconds=_SECONDS)
    settle(run)
    return drafted


def settle(run: InvoiceRun) -> None:
    """Sets the run's state. If its drafts can be reviewed, wakes the task that computes their differences."""
    with transaction.atomic(durable=True):
        runs.settle_review(run, actor_ref=ACTOR)
        run.refresh_from_db(fields=["state"])
        if run.state == RunState.REVIEW and not checked(run):
            jobs.enqueue(_RECONCILE, run_id=str(run.pk))


def checked(run: InvoiceRun) -> bool:
    """Returns whether the differences of what there is to approve now are stored."""
    return run.checks.filter(sha256=approvals.reviewed(run).sha256).exists()


def issue(run_id: UUID) -> int:
    """Numbers the approved drafts of the run and returns how many. Wakes the tasks that make the files."""
    issued = issuing.issue_approved(run_id, actor_ref=ACTOR)
    run = InvoiceRun.objects.filter(pk=run_id).first()
    if run:
        settle(run)
        with transaction.atomic(durable=True):
            _wake_rendering(run, WORKERS if issued else 0)
    return issued


def render(run_id: UUID) -> int:
    """Makes missing files of the run's issued invoices and returns how many. The task that makes the last one ends the work."""
    run = InvoiceRun.objects.filter(pk=run_id).first()
    if run is None:
        return 0
    made = rendering.render_some(period=run.period, actor_ref=ACTOR, seconds=_SECONDS)
    with transaction.atomic(durable=True):
        _check_issued(run)
    return made


def _check_issued(run: InvoiceRun) -> None:
    """Wakes the reconciliation of an issued run that has all its files."""
    if run.state == RunState.ISSUED and not rendering.unrendered().filter(period=run.period).exists() and not checked(run):
        jobs.enqueue(_RECONCILE, run_id=str(run.pk))


def continue_runs() -> None:
    """Wakes the tasks of all that is not done, makes outdated drafts again, and measures how late it is."""
    with transaction.atomic(durable=True):
        for run in undrafted():
            wake_drafting(run, WORKERS if run.snapshot_at else 1)
        for run in InvoiceRun.objects.filter(state__in=[RunState.REVIEW, RunState.RELEASED, RunState.APPROVED]):
            _continue(run)
        for run in InvoiceRun.objects.filter(period__in=rendering.unrendered().values("period")):
            _wake_rendering(run, WORKERS)
        for run in InvoiceRun.objects.order_by("-period")[:1]:
            _check_issued(run)
    measure()


def _continue(run: InvoiceRun) -> None:
    if runs.outdated_drafts(run).exists():
        runs.open_run(Month.of_day(run.period), actor_ref=ACTOR)
        wake_drafting(run)
    elif run.state == RunState.APPROVED:
        jobs.enqueue(_ISSUE, run_id=str(run.pk))
    elif not checked(run):
        jobs.enqueue(_RECONCILE, run_id=str(run.pk))


def wake_drafting(run: InvoiceRun, tasks: int = 1) -> None:
    """Wakes that many tasks that draft the run, after the caller's transaction commits."""
    for _ in range(tasks):
        jobs.enqueue(_DRAFT, run_id=str(run.pk))


def _wake_rendering(run: InvoiceRun, tasks: int) -> None:
    for _ in range(tasks):
        jobs.enqueue(_RENDER, run_id=str(run.pk))


def measure() -> None:
    """Sets the gauges."""
    late = [due_at(month) for month in due_months()][:1]
    late += [due_at(Month.of_day(run.period)) for run in undrafted()[:1] if run.state == RunState.OPEN]
    oldest = rendering.unrendered().aggregate(oldest=Min("issued_at"))["oldest"]
    _UNDRAFTED.set(_since(min(late)) if late else 0)
    _UNRENDERED.set(_since(oldest) if oldest else 0)


def _since(moment: dt.datetime) -> float:
    return max(0.0, (clock.now() - moment).total_seconds())
