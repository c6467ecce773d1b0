"""Tasks on the audit chains and on all tables. Each may run twice, and a missed run does no harm."""

from celery import shared_task

from siths_portal.ops import retention
from siths_portal.wiring import chains, heads, verifying


@shared_task(name="audit.seal")  # type: ignore[untyped-decorator]
def seal() -> None:
    """Seals new events of every application."""
    chains.seal_all()


@shared_task(name="audit.mac")  # type: ignore[untyped-decorator]
def mac() -> None:
    """Makes MACs over new seals of every application. Runs in the `pki` worker, which has the token."""
    chains.mac_all()


@shared_task(name="audit.head")  # type: ignore[untyped-decorator]
def head() -> None:
    """Signs the newest seals if the newest statement is an hour old. Runs in the `pki` worker."""
    heads.seal_due()


@shared_task(name="audit.verify")  # type: ignore[untyped-decorator]
def verify() -> None:
    """Verifies every chain once a day, with the token's MACs. Runs in the `pki` worker."""
    verifying.verify_due()


@shared_task(name="ops.retention")  # type: ignore[untyped-decorator]
def dispose() -> None:
    """Deletes what has had its time and names tables whose own task is late, once a day."""
    retention.run_due()
