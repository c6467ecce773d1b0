"""Waking workers. The database is the queue: a job's rows are committed first, and a sweeper finds jobs with a lost wake-up."""

import structlog
from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

log = structlog.get_logger(__name__)


def enqueue(name: str, *, queue: str = "default", **ids: str | int | list[str] | list[int]) -> None:
    """Wakes the task `name` after the running transaction commits. Arguments are ids only, never personal data.

    If the broker does not respond, logs a warning and raises nothing: the task's sweeper does the work later.
    """
    transaction.on_commit(lambda: _wake(name, queue, ids))


def _wake(name: str, queue: str, ids: dict[str, str | int | list[str] | list[int]]) -> None:
    # Here, since most processes wake no worker, and Celery takes longer to load than all our models.
    from kombu.exceptions import OperationalError

    try:
        # Empty `argsrepr` and `kwargsrepr`: Celery would otherwise send a second, readable copy of the arguments.
        import_string(settings.JOBS_APPLICATION).send_task(
            name, kwargs=ids, queue=queue, ignore_result=True, retry=False, argsrepr="", kwargsrepr=""
        )
    except (OperationalError, OSError) as error:
        log.warning("job.wake_failed", job=name, error=type(error).__name__)
