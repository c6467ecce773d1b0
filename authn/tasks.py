"""Scheduled work of `authn`."""

import datetime as dt

from celery import shared_task
from django.conf import settings

from authn import service
from siths_portal.lib import clock


@shared_task(name="authn.prune_idempotency")  # type: ignore[untyped-decorator]
def prune_idempotency() -> None:
    """Forgets idempotency keys beyond IDEMPOTENCY_KEEP_DAYS. Safe to run twice and to miss."""
    service.idempotency_store().prune(older_than=clock.now() - dt.timedelta(days=settings.IDEMPOTENCY_KEEP_DAYS))
