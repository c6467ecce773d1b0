"""A month of the whole country, from sent cards to reconciled files, in a database that just got its rows and in a filled one.

The steps are those of the tasks, in two processes, as many as the worker has. Nobody analyses tables by hand.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.bench.durable import House, durable
from tests.bench.processes import Workers

PERSONS = int(os.environ.get("BENCH_BILLING_PERSONS", "550000"))
EARLIER = int(os.environ.get("BENCH_BILLING_MONTHS", "12"))
FIRST, SECOND = "2026-01", "2026-02"
LIMITS = {"drafts and numbers": 30.0, "e-invoices with XSD and EN 16931": 60.0, "PDFs": 120.0, "reconciliation": 30.0}
"""Seconds for the country. A smaller one must keep them too."""

MEMORY = 400.0  # MiB of each process
LONGEST = 2_000  # lines
LINEAR = 1.3
"""How much longer a line may take in the country than in a tenth of it."""

_MODULE = "tests.bench.billing_worker"
pytestmark = pytest.mark.timeout(7200)

Report = Callable[..., float]


@dataclass
class Invoiced:
    """What a month took: seconds of each step and of processor time, the size, and the largest resident sets."""

    steps: dict[str, float] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    size: dict[str, Any] = field(default_factory=dict)
    own: float = 0.0
    child: float = 0.0

    def add(self, step: str, seconds: float, cpu: float = 0.0, _spent: object = None) -> None:
        """Notes a step. The processor time of two steps at once is noted with one of them."""
        self.steps[step], self.cpu[step] = seconds, cpu

    @property
    def phases(self) -> dict[str, float]:
        """The steps as the limits count them: the official rules count as e-invoices, also where a draft passes them."""
        steps = self.steps
        drafts = sum(steps[name] for name in ("cards into the ledger", "subscriptions counted", "drafts", "numbers"))
        checked = steps["official rules for drafts"] + steps["e-invoices, checked again"]
        return dict(zip(LIMITS, (drafts, checked, steps["PDFs"], steps["reconciliation"]), strict=True))

    @property
    def seconds(self) -> float:
        """All of them."""
        return sum(self.steps.values())


def loaded(house: House, persons: int) -> None:
    """Makes the country in the house, and the cards that are sent in the first month."""
    workers = Workers(_MODULE, house.environ, 1)
    workers.ask("load", persons=persons, month=FIRST)
    workers.ask("send", persons=persons, month=FIRST, number=0)
    workers.end()


def invoiced(house: House, month: str) -> Invoiced:
    """Invoices the month, in processes of its own."""
    found = Invoiced()
    one, two = Workers(_MODULE, house.environ, 1), Workers(_MODULE, house.environ, 2)
    try:
        found.add("cards into the ledger", *_asked(one, "collect", month))
        found.add("subscriptions counted", *_asked(one, "open", month))
        wall, cpu, spent = _asked(two, "draft", month)
        found.add("drafts", wall * (1 - spent["gate"]), cpu)
        found.add("official rules for drafts", wall * spent["gate"])
        found.add("numbers", *_asked(one, "issue", month))
        one.ask("seal")
        wall, cpu, spent = _asked(two, "render", month)
        made = spent["ubl"] + spent["pdf"]
        found.add("e-invoices, checked again", wall * spent["ubl"] / made)
        found.add("PDFs", wall * spent["pdf"] / made, cpu)
        one.ask("seal")
        found.add("reconciliation", *_asked(one, "reconcile", month))
        found.size = one.ask("size", month=month)[0]
        for each in (*one.ask("memory"), *two.ask("memory")):
            found.own, found.child = max(found.own, each["own"]), max(found.child, each["child"])
    finally:
        one.end()
        two.end()
    return found


def _asked(workers: Workers, do: str, month: str) -> tuple[float, float, dict[str, float]]:
    """How long the processes took together, their processor time, and the share of what the stop-watches saw of their time."""
    started = time.perf_counter()
    answers = workers.ask(do, month=month)
    wall, busy = time.perf_counter() - started, sum(each["seconds"] for each in answers)
    assert not [each["wrong"] for each in answers if each.get("wrong")]
    spent = {name: sum(each["spent"][name] for each in answers) / busy for name in answers[0]["spent"]}
    return wall, sum(each["cpu"] for each in answers), spent


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """The country over a durable PostgreSQL."""
    with durable() as made:
        loaded(made, PERSONS)
        yield made


@pytest.fixture(scope="module")
def fresh(house: House) -> Invoiced:
    """The first month, in tables without statistics (no ANALYZE has run)."""
    return invoiced(house, FIRST)


def told(what: str, found: Invoiced, report: Report) -> None:
    """Prints phases and shares, and holds the limits."""
    count, lines = found.size["invoices"], found.size["lines"]
    size = f"{count} invoices, {lines:,} lines, {found.size['longest']} at most"
    whole = f"{found.seconds:.1f} s, {sum(found.cpu.values()):.0f} s of our CPU; {size}"
    report("billing", f"{what}: the month", "two processes", [count / found.seconds], note=whole)
    for name, seconds in found.steps.items():
        note = f"{seconds:.1f} s, {seconds / found.seconds:.0%} of the month"
        report("billing", f"{what}: {name}", "step", [count / seconds], note=note)
    for name, seconds in found.phases.items():
        report("billing", f"{what}: {name}", "limit", [count / seconds], note=f"{seconds:.1f} s (limit {LIMITS[name]:.0f})")
    memory = f"{found.own:.0f} MiB a process, {found.child:.0f} a child (limit {MEMORY:.0f})"
    report("billing", f"{what}: memory", "peak", [count / found.seconds], note=memory)
    assert {name: seconds for name, seconds in found.phases.items() if seconds > LIMITS[name]} == {}
    assert max(found.own, found.child) < MEMORY


def test_a_month_in_a_fresh_database(fresh: Invoiced, report: Report) -> None:
    told(f"{PERSONS:,} subscriptions, fresh", fresh, report)


def test_a_month_after_a_year(house: House, fresh: Invoiced, report: Report) -> None:
    """The same month copied to those before it, and then the next one."""
    workers = Workers(_MODULE, house.environ, 1)
    workers.ask("fill", month=FIRST, months=EARLIER)
    workers.ask("send", persons=PERSONS, month=SECOND, number=1)
    workers.ask("seal")
    workers.end()
    told(f"{PERSONS:,} subscriptions, after {EARLIER + 1} months", invoiced(house, SECOND), report)


def test_ten_times_the_customers(fresh: Invoiced, report: Report) -> None:
    with durable() as made:
        loaded(made, PERSONS // 10)
        tenth = invoiced(made, FIRST)
    ratio = fresh.seconds / fresh.size["lines"] / (tenth.seconds / tenth.size["lines"])
    note = f"{tenth.size['invoices']} invoices, {tenth.size['lines']:,} lines in {tenth.seconds:.1f} s; "
    note += f"{ratio:.2f} of its time a line in the whole (limit {LINEAR})"
    report("billing", "a tenth of it", "two processes", [tenth.size["invoices"] / tenth.seconds], note=note)
    assert ratio < LINEAR


def test_the_longest_invoice(house: House, report: Report) -> None:
    """On paper, an invoice of more than 1,000 lines shows sums, so 1,000 lines take most memory there."""
    for lines in (LONGEST // 2, LONGEST):
        workers = Workers(_MODULE, house.environ, 1)
        (made,) = workers.ask("long_invoice", lines=lines)
        (memory,) = workers.ask("memory")
        workers.end()
        note = f"{made['seconds']:.1f} s, official rules {made['spent']['gate']:.1f} s, PDF {made['spent']['pdf']:.1f} s; "
        note += f"peak {max(memory['own'], memory['child']):.0f} MiB (limit {MEMORY:.0f})"
        report("billing", f"an invoice of {lines:,} lines", "one process", [1 / made["seconds"]], note=note)
        assert max(memory["own"], memory["child"]) < MEMORY
