"""Metrics in the text format of Prometheus.

Each process writes its own files in PROMETHEUS_MULTIPROC_DIR, which `manage.py metrics` sums and serves. Without the variable
the metrics stay in the process. Names and label values are few and contain no personal data.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

FOLDER = os.environ.get("PROMETHEUS_MULTIPROC_DIR", "")
if FOLDER:
    # prometheus_client reads the variable at import and does not make the folder.
    Path(FOLDER).mkdir(parents=True, exist_ok=True)

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, multiprocess  # noqa: E402
from prometheus_client.metrics_core import Metric  # noqa: E402


def counter(name: str, text: str, labels: Sequence[str] = ()) -> Counter:
    """Returns a counter, exposed as `<name>_total`."""
    return Counter(name, text, labels)


def gauge(name: str, text: str, labels: Sequence[str] = (), *, mode: str) -> Gauge:
    """Returns a gauge. `mode` is how the values of processes are combined: `livesum`, `livemax`, `mostrecent`."""
    return Gauge(name, text, labels, multiprocess_mode=mode)  # type: ignore[arg-type]


def histogram(name: str, text: str, labels: Sequence[str] = (), *, buckets: Sequence[float]) -> Histogram:
    """Returns a histogram of durations in seconds."""
    return Histogram(name, text, labels, buckets=buckets)


RESPONSE_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""The bounds in seconds of histograms of responses: those of our sites, and those of external systems."""


def bucket_counts(folder: Path, labels: Mapping[str, str]) -> dict[tuple[str, str], list[float]]:
    """Returns how many observations were at most each bound, the last one without bound, of histograms in all processes.

    `labels` has the label of each histogram whose values are told apart; the result is by name and value. Counts of dead
    processes are included until `forget_the_dead` deletes them. Raises OSError, ValueError or struct.error for a broken file.
    """
    files = [str(path) for path in folder.glob("histogram_*.db")]
    found: dict[tuple[str, str], dict[float, float]] = {}
    for metric in multiprocess.MultiProcessCollector.merge(files, accumulate=True):  # type: ignore[no-untyped-call]
        for sample in metric.samples:
            if metric.name in labels and sample.name.endswith("_bucket"):
                counts = found.setdefault((metric.name, sample.labels[labels[metric.name]]), {})
                counts[float(sample.labels["le"])] = sample.value
    return {key: [counts[bound] for bound in sorted(counts)] for key, counts in found.items()}


class _Living(multiprocess.MultiProcessCollector):
    """Collects the metrics of all processes, without the gauges of dead ones."""

    def collect(self) -> Iterable[Metric]:
        """Returns the metrics."""
        for pid in _dead(Path(self._path)):
            multiprocess.mark_process_dead(pid, self._path)  # type: ignore[no-untyped-call]
        return super().collect()  # type: ignore[no-untyped-call,no-any-return]


def of_all_processes(folder: Path) -> CollectorRegistry:
    """Returns a registry that reads the metrics of every process in `folder`."""
    registry = CollectorRegistry()
    _Living(registry, str(folder))  # type: ignore[no-untyped-call]
    return registry


def forget_the_dead(folder: Path) -> int:
    """Deletes the files of dead processes and returns how many. The sums then drop, as after a restart."""
    files = [path for pid in _dead(folder) for path in folder.glob(f"*_{pid}.db")]
    for path in files:
        path.unlink(missing_ok=True)
    return len(files)


def _dead(folder: Path) -> set[int]:
    numbers = {path.stem.rpartition("_")[2] for path in folder.glob("*_*.db")}
    return {int(number) for number in numbers if number.isdigit() and not Path(f"/proc/{number}").exists()}
