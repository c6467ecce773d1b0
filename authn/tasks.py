"""Scheduled work of `authn`."""

import datetime as dt

from celery import shared_task
from django.conf import settings

from authn import service
from authn.services import log_in, sessions
from siths_portal.lib import clock


@shared_task(name="authn.prune_idempotency")  # type: ignore[untyped-decorator]
def prune_idempotency() -> None:
    """Forgets idempotency keys beyond IDEMPOTENCY_KEEP_DAYS. Safe to run twice and to miss."""
    service.idempotency_store().prune(older_than=clock.now() - dt.timedelta(days=settings.IDEMPOTENCY_KEEP_DAYS))


@shared_task(name="authn.end_sessions")  # type: ignore[untyped-decorator]
def end_sessions() -> None:
    """Ends sessions whose time is over, so that each end has its event, and forgets old ones. Safe to run twice and to miss."""
    sessions.sweep()


@shared_task(name="authn.prune_log_ins")  # type: ignore[untyped-decorator]
def prune_log_ins() -> None:
    """Forgets log-ins under way and used tokens of days ago. Safe to run twice and to miss."""
    log_in.forget_old()
