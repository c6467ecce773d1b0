"""`docs/practice-statement.md` has RFC 3647's outline, and each statement names tests, decisions or documents that exist."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from django.conf import settings

from tests.test_requirements import ROWS, names_in

DOCS = Path(settings.BASE_DIR) / "docs"
DOCUMENT = (DOCS / "practice-statement.md").read_text()
# RFC 3647 section 6: how many components each of the nine has.
COMPONENTS = (6, 4, 4, 12, 8, 8, 3, 6, 17)
PROVED = {row[0] for row in ROWS if "`tests/" in row[2]}
NOTHING = re.compile(r"No stipulation( on [^.]+|: [^.]+)?\.|No stipulation on [^.:]+: [^.]+\.")


def sections() -> list[tuple[str, list[str]]]:
    """Each component's number and its statements."""
    found: list[tuple[str, list[str]]] = []
    for line in DOCUMENT.splitlines():
        if heading := re.match(r"### (\d\.\d+) ", line):
            found.append((heading[1], []))
        elif found and line.strip() and not line.startswith("## "):
            assert line.startswith("- "), f"no statement: {line}"
            found[-1][1].append(line[2:])
    return found


STATEMENTS = [(number, text) for number, texts in sections() for text in texts]


def exists(reference: str) -> bool:
    if decision := re.fullmatch(r"ADR (\d{4})", reference):
        return len(list((DOCS / "adr").glob(f"{decision[1]}-*.md"))) == 1
    if reference.startswith("tests/"):
        path, _, test = reference.partition("::")
        return (DOCS.parent / path).is_file() and (not test or test in names_in(DOCS.parent / path))
    return reference in PROVED or (reference.endswith(".md") and (DOCS / reference).is_file())


def test_the_outline_is_that_of_rfc_3647() -> None:
    wanted = [f"{part}.{number}" for part, count in enumerate(COMPONENTS, 1) for number in range(1, count + 1)]
    assert [number for number, _ in sections()] == wanted
    assert re.findall(r"^## (\d) ", DOCUMENT, re.MULTILINE) == [str(part) for part in range(1, 10)]
    assert all(texts for _, texts in sections())


@pytest.mark.parametrize("number", [number for number, _ in sections()])
def test_each_statement_is_shown_by_something_that_exists(number: str) -> None:
    for text in dict(sections())[number]:
        if NOTHING.fullmatch(text):
            continue
        said = re.fullmatch(r".+\. \[([^\]]+)\]", text)
        assert said, f"nothing shows it: {text}"
        for reference in said[1].split(", "):
            assert exists(reference), f"{reference} does not exist"


def test_it_cites_the_profile_that_holds_and_how_status_is_told() -> None:
    """B1.31, and what must be said: the nonce's policy, the hold, the root's answers of a year."""
    texts = dict(sections())
    assert any("RFC 9919" in text and "RFC 5019" in text for text in texts["7.3"])
    for number, words in (
        ("7.3", "nonce is ignored"),
        ("7.3", "up to a year"),
        ("4.9", "on hold from issuance until the holder has chosen the card's code"),
        ("4.10", "CRLs list revocations only"),
        ("4.10", "SHA-256 is recommended"),
    ):
        assert any(words in text for text in texts[number]), words


def test_a_reference_can_be_wrong() -> None:
    for wrong in ("ADR 9999", "B1.99", "tests/nowhere.py", "tests/test_practice_statement.py::test_nothing", "nowhere.md"):
        assert not exists(wrong)
    for right in ("ADR 0013", "B1.1", "tests/test_practice_statement.py::test_a_reference_can_be_wrong", "glossary.md"):
        assert exists(right)


def test_no_two_statements_are_the_same() -> None:
    said = sorted(text for _, text in STATEMENTS if not NOTHING.fullmatch(text))
    assert all(one != other for one, other in pairwise(said))
