"""Intake of cards: a supplier takes orders from *queued* to *sent* by batches, over HTTP, database and token.

The programs are those of `make run`: API behind nginx with mutual TLS, `pki` worker with a token, worker, PostgreSQL with fsync
on, and the directory simulator, which the delivery address is read from. The supplier's own cards are RSA-2048 and are made
before (`supplier_plan`). The client shares the two cores.

- `BENCH_CARDS` (400): cards that are taken in as fast as it goes; half as many at half the floor's rate, beside clerks.
- `BENCH_BATCH` (25), `BENCH_SUPPLIER_CONNECTIONS` (4): cards in a batch, and connections that work at once.
- `BENCH_LOAD_PERSONS` (20000): people in the database.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from siths_portal.dev import nginx, programs, steps
from tests.bench.bench_pki_ocsp_load import PROMISE_MS
from tests.bench.bench_portal_load import P95_LIMIT, percentile
from tests.bench.load import used_by
from tests.bench.processes import Workers
from tests.e2e.stage import ROOT, Stage, started

CARDS = int(os.environ.get("BENCH_CARDS", "400"))
BATCH = int(os.environ.get("BENCH_BATCH", "25"))
CONNECTIONS = int(os.environ.get("BENCH_SUPPLIER_CONNECTIONS", "4"))
PERSONS = int(os.environ.get("BENCH_LOAD_PERSONS", "20000"))
FLOOR, GOAL = 10.0, 20.0
"""Cards a second."""

CLERKS, THINK, WARM_UP = 50, 3.0, 5
SUPPLIED = 60
"""Clerks whose orders the supplier makes. They are not among those who work beside it."""

OCSP_PACE = 200
SETTLED = 20
"""Cards by which everything is warmed up."""

LEFT_OUT = {"minasidor", "idp", "eid-app", "access-point", "mail", "metrics", "beat"}
MEASURED = ("api", "nginx", "pki-worker", "worker", "postgres", "directory")
pytestmark = pytest.mark.timeout(3600)
Report = Callable[..., float]


@dataclass
class Intake:
    """The running house, the supplier, and clerks who are logged in."""

    stage: Stage
    supplier: Workers
    clerks: Workers
    taken: int = 0

    def start(self, count: int, rate: float) -> None:
        """Lets the supplier work on the next orders."""
        batch = BATCH if not rate else min(BATCH, int(2 * rate))
        self.supplier.send("run", first=self.taken, count=count, batch=batch, connections=CONNECTIONS, rate=rate)
        self.taken += count

    def cpu(self) -> dict[str, float]:
        """Seconds of processor that each program has used, and the supplier."""
        return {name: used_by(self.stage.running[name].pid) for name in MEASURED} | {"client": used_by(self.supplier.pids[0])}


def _programs(stage: Stage) -> None:
    """Starts what takes cards in, what clerks ask, and what answers for certificates."""
    house = stage.house
    nginx.write_status(house)
    stage.start(*(one for one in programs.application_programs(house) if one.name not in LEFT_OUT))
    steps.manage("TLS", "demo_tls").work(house)
    nginx.write(house)
    stage.start(*(one for one in programs.outer_programs(house) if one.name == "nginx"))


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    """The house with people, orders and cards to make."""
    with started(lambda _house: (), ceremony=True) as stage:
        _programs(stage)
        environ, folder = stage.house.command_env(), tmp_path_factory.mktemp("plan")
        clerks, plan = folder / "clerks.json", folder / "cards.jsonl"
        stage.manage("demo_load", "--persons", str(PERSONS), seconds=1800)

        def prepare(module: str, *arguments: object) -> None:
            command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]
            subprocess.run(command, cwd=ROOT, env=environ, check=True)

        prepare("clerk_plan", CLERKS + SUPPLIED, clerks)
        prepare("supplier_plan", "orders", clerks, plan, CLERKS, SETTLED + CARDS + CARDS // 2)
        own, port = stage.house.var / "simulators" / "supplier", str(stage.house.port("api"))
        files = [str(own / name) for name in ("client.pem", "client.key", "ca.pem")]
        supplier = Workers("tests.bench.supplier_client", environ, 1, "localhost", port, *files, str(plan))
        officers = Workers("tests.bench.clerks", environ, 1, "127.0.0.1", str(stage.house.port("portal")), str(clerks))
        try:
            made = Intake(stage, supplier, officers)
            made.start(SETTLED, 0)
            assert supplier.answers()[0]["errors"] == []
            yield made
        finally:
            supplier.end()
            officers.end()


def test_cards_are_taken_in(intake: Intake, report: Report) -> None:
    before, wal = intake.cpu(), _wal(intake)
    intake.start(CARDS, 0)
    (found,) = intake.supplier.answers()
    assert found["errors"] == []
    rate = CARDS / found["seconds"]
    cpu = {name: (used - before[name]) * 1000 / CARDS for name, used in intake.cpu().items()}
    note = f"batches of {BATCH} over {CONNECTIONS} connections, {found['calls'] / CARDS:.1f} calls a card"
    note += f"; CPU ms a card: {sum(cpu.values()):.0f}, of it " + ", ".join(f"{name} {used:.0f}" for name, used in cpu.items())
    note += f"; {(_wal(intake) - wal) / CARDS / 1024:.0f} kB of WAL a card (floor {FLOOR:g}, goal {GOAL:g})"
    report("supplier", "cards from queued to sent, RSA-2048", "API, database and token", [rate], note)
    assert rate >= FLOOR


def test_clerks_and_status_do_not_notice(intake: Intake, report: Report, tmp_path_factory: pytest.TempPathFactory) -> None:
    """At half the floor's rate."""
    count, house = CARDS // 2, intake.stage.house
    seconds = int(count / (FLOOR / 2)) - WARM_UP
    requests = tmp_path_factory.mktemp("ocsp") / "requests"
    command = [sys.executable, "-m", "tests.bench.supplier_plan", "ocsp", str(requests)]
    subprocess.run(command, cwd=ROOT, env=house.command_env(), check=True)
    intake.clerks.send("run", clerks=CLERKS, think=THINK, seconds=seconds, warm_up=WARM_UP)
    intake.start(count, FLOOR / 2)
    intake.clerks.answers()
    where = ["127.0.0.1", str(house.port("ocspd")), str(requests), str(OCSP_PACE), str(seconds)]
    told = subprocess.run(
        [sys.executable, "-m", "tests.bench.paced", *where], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    status = json.loads(told.stdout)
    (pages,), (found,) = intake.clerks.answers(), intake.supplier.answers()
    times = [each for page in pages["times"].values() for each in page]
    by = f"{FLOOR / 2:g} cards a second, {CLERKS} clerks"
    note = f"p50 {percentile(times, 50):.0f} ms, p95 {percentile(times, 95):.0f} (limit {P95_LIMIT:g})"
    report("supplier", "pages of clerks", by, [len(times) / seconds], note)
    note = f"p50 {status['p50']:.1f} ms, p99 {status['p99']:.1f} (limit {PROMISE_MS:g})"
    report("supplier", "OCSP", by, [status["asked"] / seconds], note)
    assert found["errors"] == []
    assert not pages["errors"]
    assert not status["wrong"]
    assert percentile(times, 95) < P95_LIMIT
    assert status["p99"] < PROMISE_MS


def _wal(intake: Intake) -> int:
    """Bytes of WAL that PostgreSQL has written."""
    return int(intake.stage.ask("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint"))
