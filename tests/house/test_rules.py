"""Citations of rules and requirements lead to a heading or row in `docs/`; the table of rights in `docs/rules` is the code's."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from issuance.authz.roles import ALLOWED, Role

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FOLDERS = ("authn", "billing", "docs", "issuance", "pki", "siths_portal", "static", "templates", "tests")
ENDINGS = {".css", ".html", ".js", ".md", ".py", ".toml", ".txt", ".yaml", ".yml"}
# The two tests hold wrong citations on purpose.
LEFT_OUT = (ROOT / "static" / "vendor", ROOT / "tests" / "test_practice_statement.py", Path(__file__))

_RULES = {path.stem: path.read_text() for path in (DOCS / "rules").glob("*.md")}
_HEADINGS = {name: set(re.findall(r"^#+ (\d+(?:\.\d+)?) ", text, re.M)) for name, text in _RULES.items()}
_CODED = "\n".join([(DOCS / "requirements.md").read_text(), *_RULES.values()])
_CODES = set(re.findall(r"^(?:\||#+) ([BEFKS]\d[\d.]*)(?= \||[:, ])|(?<=, )(K\d\.\d)(?= \|)", _CODED, re.M))
CODES = {code for pair in _CODES for code in pair if code}

# The first letter comes before what must not precede it, so that the search is fast.
_RULE = re.compile(r"rules/([a-z]+) (\d+(?:\.\d+)*(?:(?:,| and) \d+(?:\.\d+)*)*)")
_CODE = re.compile(r"([BEFKS](?<![\w%/#.\\-].)(?:(?<=[FS])\d\d(?:\.\d+)?|(?<=[BEFK])\d\.\d+))(?![\w%-])")
_LIST = re.compile(r"([A-F](?:(?<!\w.)\d{1,2}(?= points?\b)|(?<=[(].)\d(?=[,)])))")
_OUTSIDE = re.compile(r"(?<![\w/.-])(?:domain|security|pki|billing|contract|building-blocks)\.md\b")
_SPEC = re.compile(r"[Ss]pec(?:(?<=[(]spec)\b|(?<=\bthe spec)\b|(?= [A-Z]\d))")


def faults(text: str) -> Iterator[str]:
    """Yields the citations in `text` that lead nowhere."""
    for name, numbers in _RULE.findall(text):
        known = _HEADINGS.get(name, set())
        yield from (f"rules/{name} {number}" for number in re.split(r",? and |, ", numbers) if number not in known)
    yield from (code for code in [*_CODE.findall(text), *_LIST.findall(text)] if code not in CODES)
    yield from _OUTSIDE.findall(text) if ".md" in text else ()
    yield from _SPEC.findall(text)


def sources() -> Iterator[Path]:
    yield from (ROOT / "README.md", ROOT / "pyproject.toml")
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in ENDINGS and not any(path.is_relative_to(left_out) for left_out in LEFT_OUT):
                yield path


def test_each_citation_leads_to_a_heading_or_a_row() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in sources()}
    assert sum(len(_RULE.findall(text)) for text in texts.values()) > 100
    found = [f"{path.relative_to(ROOT)}: {fault}" for path, text in texts.items() for fault in faults(text)]
    assert found == []


@pytest.mark.parametrize(
    "wrong",
    [
        "(rules/issuance 1.99)", "(rules/issuance 1.1, 99)", "(rules/nothing 1)", "(S99)", "F21", "B1.34", "E2.18", "F10.16",
        "K9.9", "(F6 point 5)", "(A4)", "(domain.md 1.3)", "security.md, F02", "(spec F9)", "the spec wants it",
    ],
)  # fmt: skip
def test_a_citation_that_leads_nowhere_is_found(wrong: str) -> None:
    assert list(faults(f"A rule {wrong} of somewhere."))


@pytest.mark.parametrize(
    "right", ["rules/issuance 1.1, 1.3", "docs/rules/pki.md", "S01", "F20", "B1.33", "K3.4", "F10.15", "E3", "E2 point 7"]
)
def test_a_citation_that_leads_somewhere_passes(right: str) -> None:
    assert list(faults(f"A rule ({right}) of here.")) == []


def test_the_table_of_rights_is_that_of_the_code() -> None:
    rows = re.findall(r"^\| ((?:`[a-z0-9_]+`(?:, )?)+) \| ([Y |-]+) \|$", _RULES["issuance"], re.M)
    documented = {
        (role, action)
        for actions, cells in rows
        for role, cell in zip(Role, cells.split(" | "), strict=True)
        for action in re.findall(r"`(\w+)`", actions)
        if cell == "Y"
    }
    assert documented == {(role, action.value) for role, actions in ALLOWED.items() for action in actions}
