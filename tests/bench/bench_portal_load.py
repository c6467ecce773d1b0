r"""Clerks at work: the portal behind nginx as `make run` starts it, under a day's mix of reads and writes.

With think time, 50, 100 and 150 clerks work at once, each with a session and a connection; limit: p95 under 300 ms. Without, a
few connections ask as fast as the portal answers: the saturation rate is the highest of the rounds; limit: 100 requests a second.
The mix, and what a clerk loads: `tests/bench/clerks.py`. PostgreSQL, Redis, the directory simulator, which an order reads, and
the client use the same two cores. The workers do not run, and DEBUG is on, as in `make run`.

Alone: `make bench AREA=portal PYTEST_ARGS="-k clerks"`, about seven minutes. Shorter, about two and a half minutes:

    BENCH_CLERKS=150 BENCH_CLOSED=8 BENCH_LOAD_SECONDS=15 BENCH_WARM_UP=5 \
        make bench AREA=portal PYTEST_ARGS="-k clerks"

- `BENCH_LOAD_PERSONS` (60000): people in the database; among 20,000 some clerks of 150 find nobody to order for.
- `BENCH_CLERKS` (50,100,150): how many clerks work in each run with think time; `BENCH_THINK` (3): mean seconds between two acts.
- `BENCH_CLOSED` (4,8,16): how many connections each run without think time has; the clerks take turns at them.
- `BENCH_LOAD_SECONDS` (30) and `BENCH_WARM_UP` (10): how long each run is measured, and runs before it is.
- `PORTAL_WORKERS` (2): processes of the portal.
- `-k closed_loop` or `-k think_time` in place of `-k clerks` takes one of the two.
"""

import os
import statistics
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pytest

from siths_portal.dev import programs
from tests.bench.load import used_by, used_by_each
from tests.bench.processes import Workers
from tests.e2e.stage import ROOT, Stage, started

PERSONS = int(os.environ.get("BENCH_LOAD_PERSONS", "60000"))
CLERKS = [int(each) for each in os.environ.get("BENCH_CLERKS", "50,100,150").split(",")]
CLOSED = [int(each) for each in os.environ.get("BENCH_CLOSED", "4,8,16").split(",")]
THINK = float(os.environ.get("BENCH_THINK", "3"))
SECONDS = int(os.environ.get("BENCH_LOAD_SECONDS", "30"))
WARM_UP = int(os.environ.get("BENCH_WARM_UP", "10"))
P95_LIMIT, RATE_LIMIT = 300.0, 100.0
PROGRAMS = {"portal", "people-front", "directory"}
MEASURED = {"portal": "portal", "postgres": "PostgreSQL", "people-front": "nginx", "directory": "directory", "redis": "Redis"}
FEWEST = 50
"""Clerks that take turns at least without think time, so that nobody searches more often than a person may in an hour."""

FEW = 20
"""Responses of a page below which its 99th percentile is not shown."""

pytestmark = pytest.mark.timeout(3600)
Report = Callable[..., float]


@dataclass
class Load:
    """The running site, and the client with its clerks or holders. `measured` names programs whose processor time is told."""

    stage: Stage
    client: Workers
    site: str = "portal"
    measured: Mapping[str, str] = field(default_factory=lambda: MEASURED)

    def cpu(self) -> dict[str, float]:
        """Seconds of processor that each program has used, and the client."""
        used = {shown: used_by(self.stage.running[name].pid) for name, shown in self.measured.items()}
        return used | {"client": used_by(self.client.pids[0])}

    def run(self, clerks: int, think: float, *, seconds: int = SECONDS, warm_up: int = WARM_UP) -> "Found":
        """Lets so many clerks work."""
        self.client.send("run", clerks=clerks, think=think, seconds=seconds, warm_up=warm_up)
        self.client.answers()
        before, workers = self.cpu(), used_by_each(self.stage.running[self.site].pid)
        (answer,) = self.client.answers()
        cpu = {name: used - before[name] for name, used in self.cpu().items()}
        each = [used - workers.get(pid, 0.0) for pid, used in used_by_each(self.stage.running[self.site].pid).items()]
        return Found(answer["times"], answer["errors"], cpu, sorted(each, reverse=True), seconds)


@dataclass
class Found:
    """What one run found: milliseconds by page, errors, and seconds of processor by program and by process of the site."""

    times: dict[str, list[float]]
    errors: list[str]
    cpu: dict[str, float]
    workers: list[float]
    seconds: int

    @property
    def everything(self) -> list[float]:
        """The milliseconds of all responses."""
        return [each for times in self.times.values() for each in times]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return len(self.everything) / self.seconds

    def tell(self, report: Report, by: str) -> None:
        """Adds a line in all, with the processor time of a request, and one for each page."""
        count = len(self.everything)
        cpu = ", ".join(f"{name} {used * 1000 / count:.1f}" for name, used in self.cpu.items())
        shares = "/".join(f"{used / sum(self.workers):.0%}" for used in self.workers if used > 0)
        note = f"{told(self.everything)}, {len(self.errors)} errors; CPU ms a request: {cpu}"
        note += f"; the site's processes {shares}; load average {os.getloadavg()[0]:.1f}"
        report("portal", "all pages", by, [self.rate], note)
        for page, times in sorted(self.times.items()):
            report("portal", page, by, [len(times) / self.seconds], told(times))


def percentile(times: list[float], part: int) -> float:
    """In milliseconds."""
    return statistics.quantiles(times, n=100, method="inclusive")[part - 1] if len(times) > 1 else times[0]


def told(times: list[float]) -> str:
    """The percentiles of these times."""
    last = f", p99 {percentile(times, 99):.0f}" if len(times) >= FEW else ""
    return f"p50 {percentile(times, 50):.0f} ms, p95 {percentile(times, 95):.0f}{last}, of {len(times)}"


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """The portal with many people, and a client whose clerks are logged in; all pages were asked for before."""
    with started(
        lambda house: [one for one in programs.application_programs(house) if one.name in PROGRAMS], ceremony=True
    ) as stage:
        environ, plan = stage.house.command_env(), tmp_path_factory.mktemp("plan") / "clerks.json"
        stage.manage("demo_load", "--persons", str(PERSONS), seconds=1800)
        command = [sys.executable, "-m", "tests.bench.clerk_plan", str(max(*CLERKS, FEWEST)), str(plan)]
        subprocess.run(command, cwd=ROOT, env=environ, check=True)
        client = Workers("tests.bench.clerks", environ, 1, "127.0.0.1", str(stage.house.port("portal")), str(plan))
        try:
            made = Load(stage, client)
            made.run(4, 0, seconds=1, warm_up=WARM_UP)
            yield made
        finally:
            client.end()


def test_clerks_with_think_time(load: Load, report: Report) -> None:
    """Each clerk of the run has a session and a connection of their own."""
    slowest, errors = 0.0, Counter[str]()
    for count in CLERKS:
        found = load.run(count, THINK)
        found.tell(report, f"{count} clerks, {THINK:g} s to think")
        slowest, errors = percentile(found.everything, 95), errors + Counter(found.errors)
    assert not errors
    assert slowest < P95_LIMIT


def test_clerks_in_a_closed_loop(load: Load, report: Report) -> None:
    """All clerks take turns at the connections of the run."""
    rates, errors = [], Counter[str]()
    for count in CLOSED:
        found = load.run(count, 0)
        found.tell(report, f"{count} connections, no time to think")
        rates.append(found.rate)
        errors += Counter(found.errors)
    assert not errors
    assert max(rates) >= RATE_LIMIT
