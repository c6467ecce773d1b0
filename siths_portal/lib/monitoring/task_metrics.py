"""Metrics of the workers' tasks: when a task of each queue last began, and failures (docs/alarms.md)."""

from siths_portal.lib import clock
from siths_portal.lib.monitoring import metrics

_BEGUN = metrics.gauge(
    "task_begun_seconds", "When a worker last began a task of the queue, in seconds since 1970", ["queue"], mode="mostrecent"
)
_FAILURES = metrics.counter("task_failures", "Tasks that ended with an error that nobody expected", ["task"])


def begun(queue: str) -> None:
    """Notes that a worker begins a task of this queue."""
    _BEGUN.labels(queue).set(clock.now().timestamp())


def failed(task: str) -> None:
    """Counts a failure of the task with this name."""
    _FAILURES.labels(task).inc()
