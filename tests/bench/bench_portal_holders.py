r"""Holders on Mina sidor at once: the site behind nginx as `make run` starts it, with think time; limit: p95 under 300 ms.

Each holder has a session and a connection. The mix: `tests/bench/holders.py`. PostgreSQL, Redis and the client use the same two
cores. The workers do not run, and DEBUG is on, as in `make run`.

Alone: `make bench AREA=portal PYTEST_ARGS="-k holders_at_once"`, about two minutes with 60,000 people.

- `BENCH_LOAD_PERSONS` (60000): people in the database.
- `BENCH_HOLDERS` (200): how many holders work at once, in one run for each number that commas part.
- `BENCH_THINK` (3), `BENCH_LOAD_SECONDS` (30), `BENCH_WARM_UP` (10): as in `bench_portal_load`.
"""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from siths_portal.dev import programs
from tests.bench.bench_portal_load import P95_LIMIT, PERSONS, THINK, WARM_UP, Load, Report, percentile
from tests.bench.processes import Workers
from tests.e2e.stage import ROOT, started

HOLDERS = [int(each) for each in os.environ.get("BENCH_HOLDERS", "200").split(",")]
PROGRAMS = {"minasidor", "people-front"}
MEASURED = {"minasidor": "Mina sidor", "postgres": "PostgreSQL", "people-front": "nginx", "redis": "Redis"}

pytestmark = pytest.mark.timeout(3600)


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """Mina sidor with many people, and a client whose holders are logged in; all pages were asked for before."""
    with started(
        lambda house: [one for one in programs.application_programs(house) if one.name in PROGRAMS], ceremony=True
    ) as stage:
        environ, plan = stage.house.command_env(), tmp_path_factory.mktemp("plan") / "holders.json"
        stage.manage("demo_load", "--persons", str(PERSONS), seconds=1800)
        command = [sys.executable, "-m", "tests.bench.holder_plan", str(max(HOLDERS)), str(plan)]
        subprocess.run(command, cwd=ROOT, env=environ, check=True)
        client = Workers("tests.bench.holders", environ, 1, "127.0.0.1", str(stage.house.port("minasidor")), str(plan))
        try:
            made = Load(stage, client, "minasidor", MEASURED)
            made.run(4, 0, seconds=1, warm_up=WARM_UP)
            yield made
        finally:
            client.end()


def test_holders_at_once(visited: Load, report: Report) -> None:
    """Each holder of the run has a session and a connection of their own."""
    slowest, errors = 0.0, Counter[str]()
    for count in HOLDERS:
        found = visited.run(count, THINK)
        found.tell(report, f"{count} holders, {THINK:g} s to think")
        slowest, errors = max(slowest, percentile(found.everything, 95)), errors + Counter(found.errors)
    assert not errors
    assert slowest < P95_LIMIT
