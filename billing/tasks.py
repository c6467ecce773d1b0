"""Tasks of billing. Each may run twice and at once, and a missed one does no harm: the sweepers continue. Arguments are ids."""

from uuid import UUID

from celery import shared_task

from billing.credit.services import files
from billing.customers.services.importing import CUSTOMER_IMPORTER
from billing.delivery.services import measures, notices, sending
from billing.ledger.services import ledger
from billing.payments.services import receiving, reminding
from billing.price_changes.services.importing import PRICE_IMPORTER
from billing.reconciliation.services import reconcile as reconciliation
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun
from billing.runs.services import approvals, checks, schedule
from siths_portal.lib.database import locks


@shared_task(name="billing.collect")  # type: ignore[untyped-decorator]
def collect() -> None:
    """Pulls the cards that suppliers reported sent into the ledger, so that the running month is at most minutes behind."""
    ledger.collect()


@shared_task(name="billing.forget_files")  # type: ignore[untyped-decorator]
def forget_files() -> None:
    """Deletes uploaded files of customers, prices and payments that have expired."""
    for importer in (CUSTOMER_IMPORTER, PRICE_IMPORTER):
        importer.delete_expired()
    receiving.delete_expired()


@shared_task(name="billing.deliver")  # type: ignore[untyped-decorator]
def deliver() -> None:
    """Sends issued documents and reminders that are due, asks for the receivers' verdicts, and measures what still waits."""
    sending.send_due()
    notices.send_due()
    reminding.send_due()
    measures.measure()


@shared_task(name="billing.open_month")  # type: ignore[untyped-decorator]
def open_month() -> None:
    """Asks for the run of a month that is due: on the second at 06:00, or later if that was missed."""
    schedule.open_due()


@shared_task(name="billing.continue_runs")  # type: ignore[untyped-decorator]
def continue_runs() -> None:
    """Wakes the tasks of runs that are not done, and measures how late they are."""
    schedule.continue_runs()


@shared_task(name="billing.draft")  # type: ignore[untyped-decorator]
def draft(run_id: str) -> None:
    """Opens a run and drafts its pending items. Several of these tasks share the items."""
    schedule.draft(UUID(run_id))


@shared_task(name="billing.issue")  # type: ignore[untyped-decorator]
def issue(run_id: str) -> None:
    """Numbers the drafts of a run that two people approved."""
    schedule.issue(UUID(run_id))


@shared_task(name="billing.render")  # type: ignore[untyped-decorator]
def render(run_id: str) -> None:
    """Makes the files of a run's issued invoices. Several of these tasks share the invoices."""
    schedule.render(UUID(run_id))


@shared_task(name="billing.reconcile")  # type: ignore[untyped-decorator]
def reconcile(run_id: str) -> None:
    """Computes and stores the thirteen differences of a run. Does nothing while another worker does it."""
    run = InvoiceRun.objects.filter(pk=run_id).first()
    if run is None:
        return
    with locks.held_if_free(locks.number(f"billing.reconcile {run_id}")) as is_mine:
        if is_mine and not schedule.checked(run):
            before = approvals.reviewed(run).sha256
            checks.store(run, reconciliation.reconcile(Month.of_day(run.period)), sha256=before)


@shared_task(name="billing.render_credit_notes")  # type: ignore[untyped-decorator]
def render_credit_notes() -> None:
    """Makes the files of credit notes that were approved."""
    files.render_credit_notes()
