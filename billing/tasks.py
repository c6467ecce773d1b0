"""Tasks of billing. Each is a sweeper: it may run twice, and a missed run does no harm."""

from celery import shared_task

from billing.ledger.services import ledger


@shared_task(name="billing.collect")  # type: ignore[untyped-decorator]
def collect() -> None:
    """Pulls the cards that suppliers reported sent into the ledger, so that the running month is at most minutes behind."""
    ledger.collect()
