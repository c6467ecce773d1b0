"""Tasks of the composition root."""

from celery import shared_task

from siths_portal.wiring import chains, heads, verifying


@shared_task(name="audit.seal")  # type: ignore[untyped-decorator]
def seal() -> None:
    """Seals new events of every application. Safe to run twice and to miss."""
    chains.seal_all()


@shared_task(name="audit.mac")  # type: ignore[untyped-decorator]
def mac() -> None:
    """Puts MACs over new seals of every application. In the `pki` worker; safe to run twice and to miss."""
    chains.mac_all()


@shared_task(name="audit.head")  # type: ignore[untyped-decorator]
def head() -> None:
    """Signs where the chains stand, once the newest statement is an hour old. In the `pki` worker; safe to run twice."""
    heads.seal_due()


@shared_task(name="audit.verify")  # type: ignore[untyped-decorator]
def verify() -> None:
    """Walks every chain once a day, with the token's MACs. In the `pki` worker; safe to run twice and to miss."""
    verifying.verify_due()
