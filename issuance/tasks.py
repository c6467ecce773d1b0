"""Tasks of issuance. Each is a sweeper: it may run twice, and skipping a run does no harm."""

from celery import shared_task

from issuance.activation.services import activation, receipt_validation
from issuance.day.services import counting_outcome
from issuance.housekeeping.services import clean_up, deadlines
from issuance.mobile.services import ending as mobile_ending
from issuance.notices.services import sending as notice_sending
from issuance.orders.services import delivery_times
from issuance.register_care.services import measures as care_measures
from issuance.register_care.services import nightly, reminding
from issuance.reserve_cards.services import approving
from issuance.roles.services import ended_roles, role_holder_reading
from issuance.stock.services import measures as stock_measures
from issuance.suppliers.push.services import measures, reconciliation, sending
from issuance.suppliers.services import order_measures, remakes, supplier_events


@shared_task(name="issuance.housekeeping")  # type: ignore[untyped-decorator]
def housekeeping() -> None:
    """Applies the deadlines of cards, eIDs, orders and role requests."""
    deadlines.run()


@shared_task(name="issuance.end_transactions")  # type: ignore[untyped-decorator]
def end_transactions() -> None:
    """Ends overdue eID app transactions, enrolments of mobile eIDs and hand-outs of reserve cards, and the work of clerks whose
    roles have ended.
    """
    activation.end_overdue()
    mobile_ending.end_overdue()
    approving.end_overdue()
    ended_roles.sweep()


@shared_task(name="issuance.replay_reports")  # type: ignore[untyped-decorator]
def replay_reports() -> None:
    """Replays parked reports of suppliers once certificates are issued or PUKs sealed, and measures what still waits."""
    supplier_events.replay_all()
    order_measures.measure()
    measures.measure()


@shared_task(name="issuance.push_due")  # type: ignore[untyped-decorator]
def push_due() -> None:
    """Wakes deliveries and comparisons that are due, for suppliers that are pushed to. Sweeps lost wake-ups."""
    sending.wake_due()
    reconciliation.wake_due()


@shared_task(name="issuance.push_to")  # type: ignore[untyped-decorator]
def push_to(slug: str) -> None:
    """Makes the calls that are due to one supplier. Runs in the suppliers' worker, which has the client key."""
    sending.push_to(slug)


@shared_task(name="issuance.reconcile_supplier")  # type: ignore[untyped-decorator]
def reconcile_supplier(slug: str) -> None:
    """Compares one supplier's orders with the portal's, once a night. Runs in the suppliers' worker."""
    if reconciliation.is_due(slug):
        reconciliation.reconcile(slug)


@shared_task(name="issuance.add_remade_items")  # type: ignore[untyped-decorator]
def add_remade_items() -> None:
    """Adds the items that replace spoilt ones."""
    remakes.add_items()


@shared_task(name="issuance.forget_searches")  # type: ignore[untyped-decorator]
def forget_searches() -> None:
    """Deletes old searches and dry runs, and expired extended scopes and set-up files."""
    clean_up.delete_old()


@shared_task(name="issuance.read_role_holders")  # type: ignore[untyped-decorator]
def read_role_holders() -> None:
    """Reads role holders again from the HSA directory, each once a night, and measures whether it is late."""
    role_holder_reading.read_due()
    role_holder_reading.measure()


@shared_task(name="issuance.register_care")  # type: ignore[untyped-decorator]
def register_care() -> None:
    """Compares with register and catalogue, once a night in pieces of a minute, and measures whether it is late."""
    nightly.work_due()
    care_measures.measure()


@shared_task(name="issuance.count_outcome")  # type: ignore[untyped-decorator]
def count_outcome() -> None:
    """Counts what the days up to yesterday came to, and how fast suppliers deliver, once a night."""
    counting_outcome.count_due()
    delivery_times.count_due()


@shared_task(name="issuance.measure_stock")  # type: ignore[untyped-decorator]
def measure_stock() -> None:
    """Measures which offices need reserve cards."""
    stock_measures.measure()


@shared_task(name="issuance.validate_receipts")  # type: ignore[untyped-decorator]
def validate_receipts() -> None:
    """Validates every stored receipt again, once a year in pieces of a minute, and measures the result."""
    receipt_validation.run_due()
    receipt_validation.measure()


@shared_task(name="issuance.remind")  # type: ignore[untyped-decorator]
def remind() -> None:
    """Sends the reminders of cards that wait for activation, and the notices and reminders of eIDs, that are due."""
    reminding.send_due()
    notice_sending.send_due()
