"""Tasks of issuance. Each is a sweeper: it may run twice and be missed."""

from celery import shared_task

from issuance.services import housekeeping as rules_of_time


@shared_task(name="issuance.housekeeping")  # type: ignore[untyped-decorator]
def housekeeping() -> None:
    """Applies the rules that time sets off."""
    rules_of_time.run()
