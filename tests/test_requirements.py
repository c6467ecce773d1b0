"""`docs/requirements.md` holds each point once, and names only tests that exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from django.conf import settings

ROOT = Path(settings.BASE_DIR)
DOCUMENT = (ROOT / "docs" / "requirements.md").read_text()
IDS = [
    *(f"B1.{n}" for n in range(1, 34)), *(f"S{n:02}" for n in range(1, 49)), *(f"F5.{n}" for n in range(1, 7)),
    *(f"F9.{n}" for n in range(1, 9)), *(f"E2.{n}" for n in range(1, 18)), *(f"E3.{n}" for n in range(1, 4)),
    *(f"F10.{n}" for n in range(1, 16)), *(f"F{n:02}" for n in range(1, 21)),
    *(f"I{n:02}" for n in range(1, 24)),
]  # fmt: skip
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")] for line in DOCUMENT.splitlines() if re.match(r"\| [BSEFI]\d", line)
]


@cache
def names_in(path: Path) -> set[str]:
    """Names of the functions that pytest collects from a file, those of classes as `Class::name`."""
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return found


def test_each_point_stands_once_in_its_order() -> None:
    assert [row[0] for row in ROWS] == IDS


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_point_is_proved_by_tests_that_exist_or_is_called_open(row: list[str]) -> None:
    _, requirement, proof = row
    assert requirement.endswith(".")
    named = re.findall(r"`(tests/[^`]+)`", proof)
    for reference in named:
        path, _, test = reference.partition("::")
        assert (ROOT / path).is_file(), f"{path} does not exist"
        assert test in names_in(ROOT / path), f"{path} has no {test}"
    rest = re.sub(r"`tests/[^`]+`(, )?", "", proof).lstrip("; ")
    assert re.fullmatch(r"(open( \(issue \d+\))?(: .+)?)?", rest), f"neither a test nor open: {rest}"
    assert named or rest


def test_the_document_can_be_wrong() -> None:
    """The reader above sees functions and methods and nothing else."""
    here = names_in(Path(__file__))
    assert "test_the_document_can_be_wrong" in here
    assert "names_in" not in here
