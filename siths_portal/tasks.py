"""Tasks of the composition root."""

from celery import shared_task

from siths_portal import chains


@shared_task(name="audit.seal")  # type: ignore[untyped-decorator]
def seal() -> None:
    """Seals new events of every application. Safe to run twice and to miss."""
    chains.seal_all()
