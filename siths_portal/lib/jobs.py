"""Waking workers. The database is the queue: a job's rows are committed first, and a lost wake-up is found by a sweeper."""

import structlog
from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def enqueue(name: str, *, queue: str = "default", **ids: str | int | list[str] | list[int]) -> None:
    """Wakes the task `name` when the running transaction has committed. Arguments are ids only, never personal data.

    A broker that does not answer is logged and forgiven: the task's sweeper does the work later.
    """
    transaction.on_commit(lambda: _wake(name, queue, ids))


def _wake(name: str, queue: str, ids: dict[str, str | int | list[str] | list[int]]) -> None:
    try:
        current_app.send_task(name, kwargs=ids, queue=queue, ignore_result=True, retry=False)
    except (OperationalError, OSError) as error:
        log.warning("job.wake_failed", job=name, error=type(error).__name__)
