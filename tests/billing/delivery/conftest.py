"""The access point's simulator as a process, and two issued invoices of April 2023."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


class Point:
    """The access point: where it is, what it keeps, and how it behaves."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder

    def behave(self, **behaviour: Any) -> None:
        (self.folder / "behaviour.json").write_text(json.dumps(behaviour))

    def kept(self, message_id: object) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / f"{message_id}.json").read_text())
        return found | {"document": (self.folder / f"{message_id}.xml").read_bytes()}

    def count(self) -> int:
        return len(list(self.folder.glob("*.xml")))


@pytest.fixture(scope="module")
def access_point(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Point]:
    """One for a module; each test's invoices have numbers of their own year, so they do not meet."""
    folder = tmp_path_factory.mktemp("access-point")
    command = [sys.executable, "manage.py", "access_point_simulator", "--bind", "127.0.0.1:0", "--delay", "0"]
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        [*command, "--folder", str(folder)], cwd=root, stdout=subprocess.PIPE, text=True
    )  # fmt: skip
    assert process.stdout is not None
    found = re.search(r"http://\S+", process.stdout.readline())
    assert found
    yield Point(found[0], folder)
    process.terminate()
    process.wait()


@pytest.fixture
def point(access_point: Point) -> Iterator[Point]:
    """The access point, empty and well-behaved, connected by HTTP."""
    from billing.delivery.adapters.rest import RestAccessPoint
    from billing.delivery.ports import AccessPoint
    from siths_portal.lib import ports

    for file in access_point.folder.iterdir():
        file.unlink()
    before = ports.get(AccessPoint)
    ports.connect(AccessPoint, RestAccessPoint(access_point.url))
    yield access_point
    ports.connect(AccessPoint, before)


@pytest.fixture
def issued(facts: Any) -> list[Any]:
    """Both small sketches issued with their files, in order of number."""
    from billing.invoices.models import Invoice
    from billing.service import run_month
    from tests.billing.world import APRIL, both_sketches, made_once, slide_prices

    def make() -> None:
        slide_prices()
        both_sketches(facts, part=50)
        run_month(APRIL, actor_ref="user:test", issue=True)

    made_once("small sketches issued with files", facts, make)
    return list(Invoice.objects.order_by("number"))
