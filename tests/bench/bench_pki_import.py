"""Import of many certificates with signature checks into a durable PostgreSQL: rate, processor time and memory."""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.bench.durable import House, durable

CERTIFICATES = int(os.environ.get("BENCH_IMPORT_CERTIFICATES", "1000000"))
# Signing with RSA-4096 takes long, and what is measured is verifying.
COUNTS = {"ec": CERTIFICATES, "rsa": max(5000, CERTIFICATES // 50)}
GROWTH = 60.0  # MiB from a fifth of the way to the end
pytestmark = pytest.mark.timeout(7200)


@pytest.fixture(scope="module")
def house() -> Iterator[House]:
    """A durable PostgreSQL with our tables."""
    with durable() as made:
        yield made


def work(house: House, *arguments: object) -> str:
    return house.run("-m", "tests.bench.import_worker", *map(str, arguments))


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_import(kind: str, house: House, report: Callable[..., float]) -> None:
    given = house.folder / kind
    work(house, kind, COUNTS[kind], given, 1)  # makes the folder
    took: dict[str, Any] = json.loads(work(house, kind, COUNTS[kind], given, os.process_cpu_count() or 1).splitlines()[-1])
    assert (took["new"], took["findings"]) == (COUNTS[kind], {})
    cpu = took["cpu"] + took["children_cpu"]
    what = f"import of {COUNTS[kind]:,} certificates with signature checks, {'P-256' if kind == 'ec' else 'RSA-4096'} CA"
    floor = " (floor 2,000)" if kind == "ec" else ""
    note = f"{COUNTS[kind] / cpu:,.0f} a second of our CPU{floor}; peak {took['peak']:.0f} MiB"
    note += f", {took['fifth']:.0f} at a fifth of the way"
    report("pki", what, "pki_import, PostgreSQL", [COUNTS[kind] / took["seconds"]], note=note)
    assert took["peak"] - took["fifth"] < GROWTH
