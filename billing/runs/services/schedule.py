"""The scheduled job of the month: opens and drafts it on the second at 06:00, and continues what a killed worker or a lost
wake-up left.

Each function may run twice, at once and again. The database says what there is to do: a run without a count or with pending
items is drafted, an approved run is issued, an issued invoice without a file is rendered. A run whose month is not over, since
the clock was ahead when it was opened, waits until it is.
"""

import datetime as dt
from collections.abc import Iterator
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, Max, Min, OuterRef, Q, QuerySet

from billing.customers.models import BillingCustomer, CustomerState
from billing.documents.official import validator
from billing.invoices.services import rendering
from billing.ledger.models import UnpricedFact
from billing.ledger.services import ledger
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, ItemState, RunItem, RunState
from billing.runs.services import approvals, drafting, issuing, runs
from siths_portal.lib import clock
from siths_portal.lib.clock import STOCKHOLM
from siths_portal.lib.errors import Conflict, DomainError
from siths_portal.lib.monitoring import metrics
from siths_portal.lib.processes import jobs

log = structlog.get_logger(__name__)
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
_OVERLAP = dt.timedelta(minutes=1)
"""A version of a customer may begin before a worker reads the customer and be committed after that."""

_RETRY = dt.timedelta(minutes=10)
LATE = dt.timedelta(hours=2)
"""After this time a month without drafts is late; the alarm MonthNotDrafted has the same limit."""

_UNDRAFTED = metrics.gauge(
    "billing_month_undrafted_seconds", "How long ago the oldest month without drafts was due to be drafted", mode="mostrecent"
)
_UNNUMBERED = metrics.gauge(
    "billing_month_unnumbered_seconds", "How long the oldest approved month has waited for its numbers", mode="mostrecent"
)
_UNRENDERED = metrics.gauge(
    "billing_invoices_unrendered_seconds", "How long the oldest issued invoice has waited for its files", mode="mostrecent"
)
_UNPRICED = metrics.gauge("billing_events_unpriced", "Billable events that wait for a price, at most 1000", mode="mostrecent")
_MOST_COUNTED = 1000


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
    if run is None or not _is_over(run):
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
    """Numbers the approved drafts of the run and returns how many. Wakes the tasks that make the files.

    Logs a series that gives no number, as when its last date is ahead. The sweeper tries again, and an alarm tells of it.
    """
    run = InvoiceRun.objects.filter(pk=run_id).first()
    if run is None or not _is_over(run):
        return 0
    issued = 0
    try:
        issued = issuing.issue_approved(run_id, actor_ref=ACTOR)
    except Conflict as refusal:
        log.error("run.not_numbered", month=Month.of_day(run.period).code(), code=refusal.code)
    else:
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
    """Wakes the tasks of all that is not done, drafts outdated drafts and repaired customers again, and measures how late it is.

    Each run has a transaction of its own, so that one holds no other's lock and a refusal stops no other.
    """
    with transaction.atomic(durable=True):
        for run in undrafted():
            wake_drafting(run, WORKERS if run.snapshot_at else 1)
        for run in InvoiceRun.objects.filter(period__in=rendering.unrendered().values("period")):
            _wake_rendering(run, WORKERS)
        for run in InvoiceRun.objects.order_by("-period")[:1]:
            _check_issued(run)
    under_way = Q(state__in=[RunState.REVIEW, RunState.RELEASED, RunState.APPROVED])
    for run in InvoiceRun.objects.filter(under_way | Q(pk__in=repaired().values("run"))).order_by("period"):
        try:
            with transaction.atomic(durable=True):
                _continue(run)
        except DomainError as refusal:
            log.error("run.not_continued", month=Month.of_day(run.period).code(), code=refusal.code)
    measure()


def _continue(found: InvoiceRun) -> None:
    run = approvals.locked(found.pk)
    if not _is_over(run):
        return
    parties = list(repaired().filter(run=run).values_list("party_id", flat=True))
    if parties and run.state in (RunState.REVIEW, RunState.ISSUED):
        for party_id in parties:
            runs.redraft(run.pk, actor_ref=ACTOR, party_id=party_id)
        wake_drafting(run)
    elif run.state in (RunState.OPEN, RunState.ISSUED):
        return
    elif runs.outdated_drafts(run).exists():
        runs.open_run(Month.of_day(run.period), actor_ref=ACTOR)
        wake_drafting(run)
    elif run.state == RunState.APPROVED:
        jobs.enqueue(_ISSUE, run_id=str(run.pk))
    elif not checked(run):
        jobs.enqueue(_RECONCILE, run_id=str(run.pk))


def repaired() -> QuerySet[RunItem]:
    """Returns the blocked items with a change since they were tried that may have repaired them.

    The customer has newer data, nothing waits for a price any more, or the official rules could not be run and may run now. An
    item of a later month takes the party's older entries too, so only the newest one counts.
    """
    month = OuterRef("run__period")
    newer = BillingCustomer.objects.filter(party_id=OuterRef("party_id"), valid_from__gt=OuterRef("tried_at") - _OVERLAP)
    waiting = UnpricedFact.objects.filter(party_id=OuterRef("party_id"), period__lte=month)
    later = RunItem.objects.filter(party_id=OuterRef("party_id"), run__period__gt=month)
    priced = Q(reasons__contains=[[drafting.PRICE_MISSING]]) & ~Exists(waiting)
    unchecked = Q(reasons__contains=[[validator.UNAVAILABLE]], tried_at__lt=clock.now() - _RETRY)
    return RunItem.objects.filter(Exists(newer) | priced | unchecked, ~Exists(later), state=ItemState.BLOCKED)


def _is_over(run: InvoiceRun) -> bool:
    return Month.of_day(run.period).is_over(clock.now())


def wake_drafting(run: InvoiceRun, tasks: int = 1) -> None:
    """Wakes that many tasks that draft the run, after the caller's transaction commits."""
    for _ in range(tasks):
        jobs.enqueue(_DRAFT, run_id=str(run.pk))


def _wake_rendering(run: InvoiceRun, tasks: int) -> None:
    for _ in range(tasks):
        jobs.enqueue(_RENDER, run_id=str(run.pk))


def measure() -> None:
    """Sets the gauges. What a clock ahead of time approved or issued counts as late too."""
    late = [due_at(month) for month in due_months()][:1]
    late += [due_at(Month.of_day(run.period)) for run in undrafted()[:1] if run.state == RunState.OPEN]
    approved = InvoiceRun.objects.filter(state=RunState.APPROVED).annotate(at=Max("approvals__approved_at"))
    unnumbered = approved.aggregate(oldest=Min("at"))["oldest"]
    oldest = rendering.unrendered().aggregate(oldest=Min("issued_at"))["oldest"]
    _UNDRAFTED.set(max(0.0, _since(min(late))) if late else 0)
    _UNNUMBERED.set(abs(_since(unnumbered)) if unnumbered else 0)
    _UNRENDERED.set(abs(_since(oldest)) if oldest else 0)
    _UNPRICED.set(UnpricedFact.objects.values("pk")[:_MOST_COUNTED].count())


def _since(moment: dt.datetime) -> float:
    return (clock.now() - moment).total_seconds()
