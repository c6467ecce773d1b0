"""Tasks of billing. Each is a sweeper: it may run twice and be missed."""

from celery import shared_task

from billing.services import ledger


@shared_task(name="billing.collect")  # type: ignore[untyped-decorator]
def collect() -> None:
    """Pulls what suppliers reported sent into the ledger, so that the running month's page is at most minutes behind."""
    ledger.collect()
