"""The portal on a country of people: how long loading takes, how long pages take, and what their time tells of what is hidden."""

import json
import math
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from siths_portal.demo.people import FIRST_OF_THE_COUNTRY
from tests.bench.durable import House, durable
from tests.issuance.neighbours import directory

PERSONS = int(os.environ.get("BENCH_PERSONS", "600000"))
REQUESTS = int(os.environ.get("BENCH_REQUESTS", "200"))
PAIRS = int(os.environ.get("BENCH_PAIRS", "2000"))
MOST_QUERIES = 15
ENOUGH = 100_000
"""People among whom some of the small organisation that is asked about are protected."""

pytestmark = pytest.mark.timeout(3600)

Report = Callable[..., float]


@pytest.fixture(scope="module")
def loaded() -> Iterator[tuple[House, float]]:
    """A durable PostgreSQL with the people, and how many seconds their loading took. The directory simulator serves what the load
    wrote for it, since a search without a hit queries the HSA directory.
    """
    with durable() as house:
        house.perform({"root": "ec-p256", "demo-bulk": "ec-p256"})
        started = time.perf_counter()
        house.run("manage.py", "demo_load", "--persons", str(PERSONS))
        took = time.perf_counter() - started
        with directory(house.folder) as (address, data):
            shutil.copyfile(Path(os.environ["SITHS_VAR_DIR"]) / "simulators" / "directory" / "people.json", data)
            house.environ.update(DIRECTORY_URL=address, PERSON_REGISTER_URL=address)
            yield house, took


@pytest.fixture(scope="module")
def compared(loaded: tuple[House, float]) -> tuple[House, float]:
    """The country after a comparison with register and catalogue without a limit on the rate, and how many seconds it took."""
    house, _took = loaded
    house.environ["REGISTER_CARE_READS_PER_SECOND"] = "0"
    started = time.perf_counter()
    house.run("manage.py", "issuance_register_care", "--quiet")
    return house, time.perf_counter() - started


def ask(house: House, what: str, count: int, worker: str = "portal_worker") -> dict[str, Any]:
    """What a worker of the house measured."""
    answer: dict[str, Any] = json.loads(house.run("-m", f"tests.bench.{worker}", what, str(count)).splitlines()[-1])
    return answer


def percentile(times: list[float], part: int) -> float:
    """In milliseconds."""
    return statistics.quantiles(times, n=100)[part - 1] * 1000


def test_loading(loaded: tuple[House, float], report: Report) -> None:
    house, seconds = loaded
    size = house.postgres.psql("SELECT pg_size_pretty(pg_database_size('siths'))", database="siths")
    carriers = int(house.postgres.psql("SELECT count(*) FROM issuance_carrier", database="siths"))
    note = f"{seconds:.0f} s (limit 600 for 600,000), {carriers:,} carriers, {size}"
    report("portal", f"demo_load of {PERSONS:,} (people/s)", "COPY", [PERSONS / seconds], note=note)
    assert carriers == 2 * (PERSONS - FIRST_OF_THE_COUNTRY)


def test_register_care(compared: tuple[House, float], report: Report) -> None:
    house, seconds = compared
    rows = int(house.postgres.psql("SELECT count(*) FROM issuance_workitem", database="siths"))
    read = int(house.postgres.psql("SELECT read FROM issuance_carerun", database="siths"))
    note = f"{seconds:.0f} s, {rows:,} rows"
    report("portal", "nightly comparison (people/s)", "register in parts of 200", [read / seconds], note=note)
    assert rows > 0


def test_pages(compared: tuple[House, float], report: Report) -> None:
    _ask_pages(compared[0], "pages", report)


def test_errands(loaded: tuple[House, float], report: Report) -> None:
    _ask_pages(loaded[0], "errands", report)


def test_minasidor(loaded: tuple[House, float], report: Report) -> None:
    _ask_pages(loaded[0], "pages", report, "minasidor_worker")


def _ask_pages(house: House, what: str, report: Report, worker: str = "portal_worker") -> None:
    found = ask(house, what, REQUESTS, worker)
    for name, one in found.items():
        times, queries = one["seconds"], one["queries"]
        note = f"p50 {percentile(times, 50):.1f} ms, p95 {percentile(times, 95):.1f} ms (limit 100), {queries} queries"
        report("portal", name, "test client", [1 / each for each in times], note=note)
    assert {name: one["queries"] for name, one in found.items() if one["queries"] > MOST_QUERIES} == {}


def test_last_page_of_holders(loaded: tuple[House, float], report: Report) -> None:
    found = ask(loaded[0], "holders", REQUESTS)
    for name, times in found.items():
        ratio = statistics.median(found["last"]) / statistics.median(found["first"])
        note = f"p95 {percentile(times, 95):.1f} ms" + (f"; {ratio:.2f} of the first" if name == "last" else "")
        report("portal", f"holders of a region, {name} page", "test client", [1 / each for each in times], note=note)


def test_what_time_tells_of_the_hidden(loaded: tuple[House, float], report: Report) -> None:
    found = ask(loaded[0], "timing", PAIRS)
    assert "protected person" in found or PERSONS < ENOUGH
    for name, one in found.items():
        note = (
            f"AUC {one['auc']:.3f} (0.47 to 0.53), p {chance_of(one['auc'], PAIRS):.2f} (S46: above 0.01), "
            f"hidden {one['hidden'] * 1000:.2f} ms, missing {one['missing'] * 1000:.2f} ms"
        )
        report("portal", f"hidden and missing: {name}", f"{PAIRS:,} pairs", [1 / one["hidden"]], note=note)


def chance_of(auc: float, count: int) -> float:
    """How likely times that tell nothing lie so far from 0.5, with `count` of each kind (Mann-Whitney, normal, two-sided)."""
    deviation = math.sqrt((2 * count + 1) / (12 * count * count))
    return math.erfc(abs(auc - 0.5) / deviation / math.sqrt(2))
