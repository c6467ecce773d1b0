"""Waking workers. The database is the queue: a job's rows are committed first, and a lost wake-up is found by a sweeper."""

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

log = structlog.get_logger(__name__)


def enqueue(name: str, *, queue: str = "default", **ids: str | int | list[str] | list[int]) -> None:
    """Wakes the task `name` when the running transaction has committed. Arguments are ids only, never personal data.

    A broker that does not answer is logged and forgiven: the task's sweeper does the work later.
    """
    transaction.on_commit(lambda: _wake(name, queue, ids))


def _wake(name: str, queue: str, ids: dict[str, str | int | list[str] | list[int]]) -> None:
    # Here, since most processes wake nobody: Celery and what it brings take longer to load than all our models.
    from kombu.exceptions import OperationalError

    try:
        # Without Celery's own rendering of the arguments beside them, which nobody reads.
        import_string(settings.JOBS_APPLICATION).send_task(
            name, kwargs=ids, queue=queue, ignore_result=True, retry=False, argsrepr="", kwargsrepr=""
        )
    except (OperationalError, OSError) as error:
        log.warning("job.wake_failed", job=name, error=type(error).__name__)
