"""The threat model names code and proofs that exist, and says of each attack what `docs/requirements.md` says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def attacks(document: str) -> dict[str, list[str]]:
    """The rows S01 to S48 of a document by id, each with its other cells."""
    lines = [line for line in (DOCS / document).read_text().splitlines() if re.match(r"\| S\d\d \|", line)]
    return {cells[0]: cells[1:] for cells in ([cell.strip() for cell in line.strip("|").split(" | ")] for line in lines)}


MODEL, REQUIRED = attacks("threat-model.md"), attacks("requirements.md")


def proofs(cell: str) -> set[str]:
    return set(re.findall(r"`(tests/[^`]+)`", cell))


def still_open(cell: str) -> str:
    """What the cell calls open, with the issue that it waits for."""
    return re.sub(r"`tests/[^`]+`(, )?", "", cell).lstrip("; ").strip()


def faults(row: list[str], required: list[str]) -> Iterator[str]:
    """What is wrong with a row of the model."""
    *said, where, proof = row
    if len(said) != 2 or not all(each.endswith(".") for each in said):
        yield "threat and defence are two cells with whole sentences"
    places = re.findall(r"`([^`]+)`", where)
    for path, _, name in (place.partition("::") for place in places):
        if not (ROOT / path).is_file() or name not in (ROOT / path).read_text():
            yield f"{path} has no {name}"
    if not places or not proofs(proof):
        yield "code or proof is missing"
    yield from (f"docs/requirements.md does not name {each}" for each in sorted(proofs(proof) - proofs(required[-1])))
    if still_open(proof) != still_open(required[-1]):
        yield f"docs/requirements.md says: {still_open(required[-1]) or 'nothing is open'}"


def test_both_documents_have_the_same_attacks() -> None:
    assert list(MODEL) == list(REQUIRED) == [f"S{number:02}" for number in range(1, 49)]


@pytest.mark.parametrize("id_", MODEL)
def test_an_attack_is_described_as_the_requirements_have_it(id_: str) -> None:
    assert list(faults(MODEL[id_], REQUIRED[id_])) == []


def test_each_fault_of_a_row_is_found() -> None:
    row, required = MODEL["S43"], REQUIRED["S43"]
    assert list(faults([row[0], row[1], "`billing/documents/nothing.py`", row[3]], required)) != []
    assert list(faults([row[0], row[1], "`billing/documents/ubl.py::no_such_name`", row[3]], required)) != []
    assert list(faults([*row[:3], "`tests/test_requirements.py::test_each_point_stands_once_in_its_order`"], required)) != []
    forgotten = [*row[:3], row[3].partition(";")[0]]
    assert list(faults(forgotten, required)) == [f"docs/requirements.md says: {still_open(required[-1])}"]
