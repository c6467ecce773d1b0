"""Houses in folders of their own, with the code of this one."""

import contextlib
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from siths_portal.dev import home
from siths_portal.dev.home import House, open_house
from siths_portal.dev.supervision import Supervisor
from tests import ports
from tests.guard.sitecustomize import OWN

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    path = Path(tempfile.mkdtemp(prefix="siths-house-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def copy_house(root: Path) -> Path:
    """What a clone needs for its make targets: the house's code, and this clone's packages."""
    root.mkdir(parents=True)
    (root / "siths_portal").mkdir()
    shutil.copy(ROOT / "siths_portal" / "__init__.py", root / "siths_portal")
    shutil.copytree(ROOT / "siths_portal" / "dev", root / "siths_portal" / "dev", ignore=shutil.ignore_patterns("__pycache__"))
    table = Path("siths_portal", "lib", "processes", "table.py")
    for package in (table.parent.parent, table.parent):
        (root / package).mkdir()
        shutil.copy(ROOT / package / "__init__.py", root / package)
    for name in (table, "Makefile", "uv.lock", "package.json", "package-lock.json"):
        shutil.copy(ROOT / name, root / name)
    (root / ".venv").symlink_to(ROOT / ".venv")
    return root


@pytest.fixture
def base(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A range of ports that is free now, and the first that a new house looks at.

    It and the next are this test's alone: another process that only looks whether they are free takes them for a moment.
    """
    for candidate in random.Random().sample(range(12000, 21500, home.BASE_STEP), 90):
        both = (candidate, candidate + home.BASE_STEP)
        with contextlib.ExitStack() as block:
            if all(block.enter_context(ports.kept(f"base-{each}")) for each in both) and not any(map(home.taken_ports, both)):
                monkeypatch.setattr(home, "FIRST_BASE", candidate)
                monkeypatch.setenv(OWN, os.environ[OWN])  # what is allowed for the houses ends with the test
                yield candidate
                return
    raise AssertionError("no free range of ports")


@pytest.fixture
def found(base: int) -> Iterator[Callable[[Path], House]]:
    """Founds houses, and ends and removes them afterwards."""
    houses: list[House] = []

    def founder(root: Path, **environ: str) -> House:
        house = open_house(root, environ=environ)
        houses.append(house)
        ports.allow_house(house)
        return house

    yield founder
    for house in houses:
        house.release_ports()
        Supervisor(house).stop()
        if not house.postgres_home.is_relative_to(house.root):
            shutil.rmtree(house.postgres_home.parent, ignore_errors=True)
