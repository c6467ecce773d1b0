"""`make bench`: each benchmark runs beside its peers in the same process, in turns, and lands in a table and in results.json."""

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import pytest

ROUNDS = 5
SECONDS = 0.5
FEW = 100
"""Rates below this are shown with a decimal."""

RESULTS = Path(__file__).resolve().parent.parent.parent / "var" / "bench" / "results.json"


@dataclass(frozen=True)
class Result:
    """Operations a second: the median of the rounds, with the slowest and the fastest."""

    area: str
    what: str
    by: str
    median: float
    slowest: float
    fastest: float
    note: str = ""


_results: list[Result] = []


@pytest.fixture(autouse=True, scope="session")
def two_cores() -> None:
    """Servers and load share two cores, however many there are: what a benchmark starts inherits this."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


PROGRAMS = {
    "wrk": ["wrk", "-v"],
    "nginx": ["/usr/sbin/nginx", "-v"],
    "cfssl": ["dpkg-query", "-W", "-f", "${Version}", "golang-cfssl"],
    "openssl": ["openssl", "version"],
    "softhsm": ["softhsm2-util", "--version"],
}


def _machine() -> dict[str, str]:
    """What the figures depend on. A program that is not there is left out."""
    said = {"python": platform.python_version(), "system": platform.platform(), "processors": str(os.cpu_count())}
    said |= {name: version(name) for name in ("granian", "cryptography", "django")}
    for name, command in PROGRAMS.items():
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            continue
        said[name] = (done.stdout + done.stderr).strip().split("\n")[0]
    return said


def _rate(operation: Callable[[], object]) -> float:
    done, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        operation()
        done += 1
    return done / elapsed


@pytest.fixture
def side_by_side() -> Callable[[str, str, dict[str, Callable[[], object]]], dict[str, float]]:
    """Measures candidates in turns, so that other load meets all of them, and returns their medians."""

    def measure(area: str, what: str, candidates: dict[str, Callable[[], object]]) -> dict[str, float]:
        rates: dict[str, list[float]] = {by: [] for by in candidates}
        for operation in candidates.values():
            operation()
        for _ in range(ROUNDS):
            for by, operation in candidates.items():
                rates[by].append(_rate(operation))
        _results.extend(Result(area, what, by, statistics.median(r), min(r), max(r)) for by, r in rates.items())
        return {by: statistics.median(r) for by, r in rates.items()}

    return measure


@pytest.fixture
def report() -> Callable[..., float]:
    """Adds rates that a benchmark measured itself, one a round, and returns their median. `note` stands at the line's end."""

    def add(area: str, what: str, by: str, rates: list[float], note: str = "") -> float:
        _results.append(Result(area, what, by, statistics.median(rates), min(rates), max(rates), note))
        return statistics.median(rates)

    return add


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints the table and writes `var/bench/results.json`."""
    if not _results:
        return
    terminalreporter.write_line("")
    what, by = (max(len(getattr(one, name)) for one in _results) + 2 for name in ("what", "by"))
    terminalreporter.write_line(f"{'area':<9}{'what':<{what}}{'by':<{by}}{'per second':>12}{'slowest':>12}{'fastest':>12}")
    for one in _results:
        numbers = "".join(f"{rate:>12,.{0 if rate >= FEW else 1}f}" for rate in (one.median, one.slowest, one.fastest))
        terminalreporter.write_line(f"{one.area:<9}{one.what:<{what}}{one.by:<{by}}{numbers}  {one.note}".rstrip())
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(
        json.dumps({"machine": _machine(), "results": [asdict(one) for one in _results]}, indent=1, ensure_ascii=False) + "\n"
    )
