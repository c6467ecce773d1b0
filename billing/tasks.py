"""Tasks of billing. Each is a sweeper: it may run twice, and a missed run does no harm."""

from celery import shared_task

from billing.delivery.services import measures, notices, sending
from billing.ledger.services import ledger


@shared_task(name="billing.collect")  # type: ignore[untyped-decorator]
def collect() -> None:
    """Pulls the cards that suppliers reported sent into the ledger, so that the running month is at most minutes behind."""
    ledger.collect()


@shared_task(name="billing.deliver")  # type: ignore[untyped-decorator]
def deliver() -> None:
    """Sends issued documents that are due, asks for the receivers' verdicts, and measures what still waits."""
    sending.send_due()
    notices.send_due()
    measures.measure()
