"""The catalogue from a file into a durable PostgreSQL: everybody at first, the same again, and a night's changes."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.bench.durable import House, durable

PERSONS = int(os.environ.get("BENCH_DIRECTORY_PERSONS", "600000"))
GROWTH = 60.0  # MiB from a fifth of the way to the end
pytestmark = pytest.mark.timeout(7200)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A durable PostgreSQL with our tables."""
    with durable() as made:
        yield made


def work(house: House, do: str, name: str) -> dict[str, Any]:
    said = house.run("-m", "tests.bench.directory_worker", do, str(house.folder / name), str(PERSONS))
    return json.loads(said.splitlines()[-1]) if said else {}


def test_a_country_and_a_night(house: House, report: Callable[..., float]) -> None:
    work(house, "make", "")
    for what, name, expected in (
        ("everybody at first", "first.csv", {"new": PERSONS, "lost": 0, "posts": {"add": PERSONS}}),
        ("the same file again", "first.csv", {"new": 0, "lost": 0, "posts": {"same": PERSONS}}),
        ("1 in 100 changed, 1 in 100 gone", "later.csv", {"new": 0, "lost": -(-(PERSONS - 1) // 100)}),
    ):
        took = work(house, "import", name)
        assert took["refused"] == 0
        assert took["scope"]
        assert expected.items() <= took.items()
        note = f"{took['seconds']:.0f} s, {took['cpu']:.0f} s of our CPU; peak {took['peak']:.0f} MiB"
        note += f", {took['fifth']:.0f} at a fifth of the way"
        report("portal", f"catalogue from a file of {took['rows']:,} rows, {what}", "issuance_import_directory", [
            took["rows"] / took["seconds"]
        ], note=note)  # fmt: skip
        assert took["peak"] - took["fifth"] < GROWTH
