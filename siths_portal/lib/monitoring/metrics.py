"""Numbers for operators, in the text format of Prometheus.

A process counts in files of its own in PROMETHEUS_MULTIPROC_DIR, which `manage.py metrics` adds up and serves; without it
each counts for itself. Names and label values are few and hold no personal data.
"""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if FOLDER:
    # prometheus_client reads the variable when it is imported, and makes no folder.
    Path(FOLDER).mkdir(parents=True, exist_ok=True)

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess  # noqa: E402
from prometheus_client.metrics_core import Metric  # noqa: E402


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """A number that only rises, exposed as `<name>_total`."""
    return Counter(name, text, labels)


def gauge(name: str, text: str, labels: Sequence[str] = (), *, mode: str) -> Gauge:
    """A number that rises and falls; `mode` says how those of processes are joined: `livesum`, `livemax`, `mostrecent`."""
    return Gauge(name, text, labels, multiprocess_mode=mode)  # type: ignore[arg-type]


def histogram(name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> Histogram:
    """Durations in seconds."""
    return Histogram(name, text, labels, buckets=buckets)


class _Living(multiprocess.MultiProcessCollector):
    """All processes' numbers; a process that died has no gauges any more."""

    def collect(self) -> Iterable[Metric]:
        """The numbers."""
        for pid in _dead(Path(self._path)):
            multiprocess.mark_process_dead(pid, self._path)  # type: ignore[no-untyped-call]
        return super().collect()  # type: ignore[no-untyped-call,no-any-return]


def of_all_processes(folder: Path) -> CollectorRegistry:
    """A registry that reads what every process has counted in `folder`."""
    registry = CollectorRegistry()
    _Living(registry, str(folder))  # type: ignore[no-untyped-call]
    return registry


def forget_the_dead(folder: Path) -> int:
    """Removes the files of processes that are no more; returns how many files. Their counts begin anew, as after a restart."""
    files = [path for pid in _dead(folder) for path in folder.glob(f"*_{pid}.db")]
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _dead(folder: Path) -> set[int]:
    numbers = {path.stem.rpartition("_")[2] for path in folder.glob("*_*.db")}
    return {int(number) for number in numbers if number.isdigit() and not Path(f"/proc/{number}").exists()}
