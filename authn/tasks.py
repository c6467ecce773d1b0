"""Scheduled tasks of `authn`. Each may run twice, and a missed run does no harm."""

import datetime as dt

from celery import shared_task
from django.conf import settings

from authn.services import clients, log_in, sessions
from siths_portal.lib import clock


@shared_task(name="authn.prune_idempotency")  # type: ignore[untyped-decorator]
def prune_idempotency() -> None:
    """Deletes idempotency keys older than IDEMPOTENCY_KEEP_DAYS."""
    clients.idempotency_store().prune(older_than=clock.now() - dt.timedelta(days=settings.IDEMPOTENCY_KEEP_DAYS))


@shared_task(name="authn.end_sessions")  # type: ignore[untyped-decorator]
def end_sessions() -> None:
    """Ends sessions past a time limit, with an event each, and deletes old ones."""
    sessions.sweep()


@shared_task(name="authn.prune_log_ins")  # type: ignore[untyped-decorator]
def prune_log_ins() -> None:
    """Deletes old log-in attempts and used tokens."""
    log_in.forget_old()
