r"""Two of each process behind one proxy, killed in turn under load: clerks, the intake of cards and OCSP at once.

Each process of the table is killed once with SIGKILL and started again, while clerks work, a supplier takes in cards and OCSP is
asked through its proxy. Compared by the checker of the fault experiments: what clerks were told was done, and what the supplier
made, with what the database has. A clerk whose POST was with the killed process may get the proxy's page for it (503); nothing
else may go wrong. The supplier repeats a call without an answer, with the same key. OCSP is asked for every stored response.
The scheduler and the process of the metrics, of which there is one, are killed too; PostgreSQL, Redis and the proxies are not.
Mina sidor and `login` are without load.

Load and house share the machine's cores. The processes have the CPU weights that their units and containers have. Shorter:

    BENCH_PAIRS_KILLED=portal,ocspd-2 BENCH_PAIRS_CARD_RATE=1 make bench AREA=pairs

- `BENCH_LOAD_PERSONS` (40000): people in the database.
- `BENCH_PAIRS_CLERKS` (50), `BENCH_PAIRS_CARD_RATE` (7) and `BENCH_PAIRS_OCSP_RATE` (10000): the load; the rates are a second.
- `BENCH_PAIRS_SECONDS` (18): how long each process has at least; it is killed 10 s after the beginning.
- `BENCH_PAIRS_KILLED` (all): the processes to kill, parted by commas; a second one's name ends with `-2`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from siths_portal.lib.processes.table import BY_NAME
from tests.bench.bench_portal_load import percentile
from tests.bench.pairs import SINGLE, Pairs, pairs
from tests.bench.processes import Workers
from tests.bench.steady_ocsp import Steady, Told
from tests.e2e.stage import ROOT
from tests.faults.tally import Tally

PERSONS = int(os.environ.get("BENCH_LOAD_PERSONS", "40000"))
CLERKS = int(os.environ.get("BENCH_PAIRS_CLERKS", "50"))
CARD_RATE = int(os.environ.get("BENCH_PAIRS_CARD_RATE", "7"))
OCSP_RATE = int(os.environ.get("BENCH_PAIRS_OCSP_RATE", "10000"))
SECONDS = int(os.environ.get("BENCH_PAIRS_SECONDS", "18"))
KILLED = [each for each in os.environ.get("BENCH_PAIRS_KILLED", "").split(",") if each]
SUPPLIED, SETTLED, THINK = 190, 20, 3.0
WARM_UP = 30
"""Seconds of load before the first kill. Processes that just started still connect, compile templates and plan queries."""
BEFORE = 10
"""Seconds before each kill. A process that was started again has connected each thread and planned its queries by then."""
P95_LIMIT = 1000.0
CLERKS_WEIGHT = 1000
"""The CPU weight of the process that stands for the clerks' own computers: its waiting is no time of a response."""
UNANSWERED = ": 503"
"""How the error of a clerk ends whose request was with the killed process."""

PROCESSES = len(KILLED) or 2 * len(BY_NAME.keys() - SINGLE) + len(SINGLE)
SLOW_START = 3
TOTAL = WARM_UP + PROCESSES * (SECONDS + SLOW_START)
"""Seconds of the whole load. Each process has SLOW_START seconds more, since some start slowly."""

pytestmark = pytest.mark.timeout(3600)
Report = Callable[..., float]


@dataclass
class Load:
    """The house with everything that asks it. `plan` has the orders whose cards are made, `began` the moment before the load."""

    house: Pairs
    clerks: Workers
    supplier: Workers
    plan: list[str]
    requests: Path
    began: str

    def make_cards(self, first: int, count: int, rate: int) -> None:
        """Lets the supplier begin with so many cards of its plan."""
        batch = max(1, min(10, 2 * rate)) if rate else 10
        self.supplier.send("run", first=first, count=count, batch=batch, connections=4, rate=rate, repeat=True)


@dataclass(frozen=True)
class Fault:
    """A kill: when (CLOCK_MONOTONIC), until when the load is counted for it, and what was found of OCSP."""

    name: str
    at: float
    until: float
    back: float | None
    ocsp: Told

    def tell(self, timeline: list[tuple[float, float, int]], report: Report) -> float:
        """Adds a line of the responses to requests that were sent in its time, and returns their 95th percentile."""
        found = [(took, status) for sent, took, status in timeline if self.at <= sent < self.until]
        times, unanswered = [took for took, _ in found], [status for _, status in found].count(503)
        p95, ocsp = percentile(times, 95), self.ocsp
        note = f"p50 {percentile(times, 50):.0f} ms, p95 {p95:.0f}, longest {max(times):.0f}, of {len(times)}; 503: {unanswered}"
        note += f"; OCSP {ocsp.rate:,.0f} a second, p99 {ocsp.p99:.0f} ms"
        note += f", wrong {ocsp.wrong}, tryLater {ocsp.late}, failed {ocsp.failed}"
        note += f"; ready again after {self.back:.1f} s" if self.back is not None else ""
        report("pairs", "pages of clerks", f"kill -9 of {self.name}", [len(times) / (self.until - self.at)], note)
        return p95


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Load]:
    """The house under no load yet, with clerks who are logged in and orders whose cards are made."""
    folder = tmp_path_factory.mktemp("plan")
    clerks, plan, requests = folder / "clerks.json", folder / "cards.jsonl", folder / "requests"
    with pairs() as house:
        stage, environ = house.stage, house.stage.house.command_env()
        stage.manage("demo_load", "--persons", str(PERSONS), seconds=1800)

        def prepare(module: str, *arguments: object) -> None:
            command = [sys.executable, "-m", f"tests.bench.{module}", *map(str, arguments)]
            done = subprocess.run(command, cwd=ROOT, env=environ, check=False, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr[-2000:]  # it logs a line for each of thousands of calls

        prepare("clerk_plan", CLERKS + SUPPLIED, clerks)
        prepare("supplier_plan", "orders", clerks, plan, CLERKS, SETTLED + CARD_RATE * TOTAL)
        own, ports = stage.house.var / "simulators" / "supplier", stage.house.port
        files = [str(own / name) for name in ("client.pem", "client.key", "ca.pem")]
        supplier = Workers("tests.bench.supplier_client", environ, 1, "localhost", str(ports("api")), *files, str(plan))
        address = ("127.0.0.1", str(ports("portal")))
        officers = Workers("tests.bench.clerks", environ, 1, *address, str(clerks), weight=CLERKS_WEIGHT)
        try:
            orders = [json.loads(line)["order"] for line in plan.read_text().splitlines()]
            made = Load(house, officers, supplier, orders, requests, stage.ask("SELECT now()"))
            made.make_cards(0, SETTLED, 0)
            assert supplier.answers()[0]["errors"] == []
            prepare("supplier_plan", "stored", requests)
            yield made
        finally:
            supplier.end()
            officers.end()


def killed(load: Load, name: str) -> Fault:
    """Kills the process and starts it again, while OCSP is asked. Returns when its time is over."""
    house, began = load.house, time.perf_counter()
    steady = Steady(f"http://127.0.0.1:{house.stage.house.port('status')}", load.requests, OCSP_RATE, SECONDS)
    time.sleep(BEFORE)
    at = time.perf_counter()
    house.kill(name)
    back = house.start_again(name)
    told = steady.told()
    return Fault(name, at, max(began + SECONDS, time.perf_counter()), back, told)


def test_each_process_is_killed_once(load: Load, report: Report, tally: Tally) -> None:
    """No wrong answer, nothing lost or doubled, and clerks wait less than a second at the 95th percentile."""
    load.clerks.send("run", clerks=CLERKS, think=THINK, seconds=TOTAL - WARM_UP, warm_up=WARM_UP, timeline=True)
    load.make_cards(SETTLED, CARD_RATE * TOTAL, CARD_RATE)
    load.clerks.answers()  # WARM_UP is over
    faults = [killed(load, name) for name in KILLED or sorted(load.house.killable)]
    (pages,), (cards,) = load.clerks.answers(), load.supplier.answers()
    slow = {fault.name: p95 for fault in faults if (p95 := fault.tell(pages["timeline"], report)) >= P95_LIMIT}
    unanswered = [each for each in pages["errors"] if each.endswith(UNANSWERED)]
    wrong = [each for each in pages["errors"] if not each.endswith(UNANSWERED)] + cards["errors"]
    note = f"{len(unanswered)} got 503 ({', '.join(sorted(set(unanswered)))}); {len(wrong)} wrong"
    note += f"; load average {os.getloadavg()[0]:.1f}"
    report("pairs", "pages of clerks", "all kills", [len(pages["timeline"]) / TOTAL], note)
    note = f"{cards['calls']} calls, {cards['repeated']} of them repeated; {len(cards['errors'])} errors"
    report("pairs", "cards from queued to sent", "all kills", [CARD_RATE * TOTAL / cards["seconds"]], note)
    nothing_is_lost(load, pages["done"], tally, report)
    assert wrong == []
    assert [fault for fault in faults if fault.ocsp.wrong or fault.ocsp.late or fault.ocsp.failed] == []
    assert slow == {}


def nothing_is_lost(load: Load, done: list[str], tally: Tally, report: Report) -> None:
    """Compares orders, revocations and cards with the database."""
    ask, since = load.house.stage.ask, f"'{load.began}'"
    there = ask(f"SELECT 'order ' || person_id FROM issuance_cardorder WHERE ordered_at > {since}").split("\n")
    there += ask(f"SELECT 'revoke ' || subject_ref FROM issuance_event WHERE action = 'carrier.revoked' AND at > {since}").split(
        "\n"
    )
    there = [each for each in there if each]
    tally.run({*done, *there}, there, "orders and revocations of clerks")  # what a clerk was not told may be there once
    sent = ask(f"SELECT subject_ref FROM issuance_event WHERE action = 'order.sent' AND at > {since}").split()
    tally.run(load.plan, sent, "sent cards")
    note = f"{len(done)} told, {len(there)} there; {len(load.plan)} cards made, {len(sent)} sent; none lost, none doubled"
    report("pairs", "orders and revocations", "all kills", [len(there) / TOTAL], note)
