"""Decision records: the index holds each number once, and every citation leads to a decision (docs/adr/README.md)."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "adr"
INDEX = (FOLDER / "README.md").read_text()
MOST = 140
FOLDERS = ("authn", "billing", "docs", "issuance", "pki", "siths_portal", "static/css", "static/js", "templates", "tests")
ENDINGS = {".css", ".html", ".js", ".json", ".md", ".py", ".sh", ".template", ".toml", ".txt", ".yaml", ".yml"}
CITATION = re.compile(r"\bADRs?\s+(\d{4}(?:(?:, | and |-)\d{4})*)|\badr/(\d{4})")
NOBODYS = "9999"  # a number that a test cites as unknown


def rows() -> list[tuple[str, str, str, str]]:
    """Number, file (empty if the decision has none), title and status of each line of the index."""
    found = []
    for line in INDEX.splitlines():
        if not line.startswith("| ") or line.startswith("| ADR "):
            continue
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        assert len(cells) == 3, line
        entry = re.fullmatch(r"\[(\d{4})\]\(([^)]+)\)|(\d{4})", cells[0])
        assert entry, line
        found.append((entry[1] or entry[3], entry[2] or "", cells[1], cells[2]))
    return found


ROWS = rows()
KNOWN = {number for number, *_ in ROWS}
FILES = {path.name: path for path in FOLDER.glob("*.md") if path.name != "README.md"}


def sections(document: Path) -> set[str]:
    """The anchors of the headings of `document`."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def texts() -> list[Path]:
    """The files that may cite a decision."""
    inner = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.suffix in ENDINGS)
    outer = (path for path in ROOT.iterdir() if path.suffix in ENDINGS or path.name in ("Makefile", ".importlinter"))
    return [path for path in (*inner, *outer) if path.is_file()]


def test_the_index_holds_each_number_once_and_every_file_with_its_title() -> None:
    numbers = [number for number, *_ in ROWS]
    assert sorted({number for number in numbers if numbers.count(number) > 1}) == []
    listed = {file: f"# {number} {title}" for number, file, title, _ in ROWS if file}
    assert listed == {name: path.read_text().splitlines()[0] for name, path in FILES.items()}


def test_each_number_without_a_file_leads_to_one() -> None:
    anchors = sections(ROOT / "docs" / "design.md")
    for number, file, _, status in ROWS:
        if file:
            assert status == "accepted", number
        elif section := re.fullmatch(r"merged into \[design\.md\]\(\.\./design\.md#([\w-]+)\)", status):
            assert section[1] in anchors, number
        else:
            target = re.fullmatch(r"(?:merged into|superseded by) \[(\d{4})\]\((\1-[^)]+)\)", status)
            assert target, number
            assert target[2] in FILES, number


def test_decisions_stay_few() -> None:
    assert len(FILES) <= MOST, "rewrite a record of the same subject instead of adding one"


def test_every_cited_decision_is_in_the_index() -> None:
    paths = texts()
    assert len(paths) > 1000
    lost = []
    for path in paths:
        for run, alone in CITATION.findall(path.read_text(encoding="utf-8", errors="replace")):
            cited = set(re.findall(r"\d{4}", run or alone)) - {NOBODYS}
            lost += [(path.relative_to(ROOT).as_posix(), number) for number in sorted(cited - KNOWN)]
    assert lost == []


def test_records_and_documents_cite_decisions_that_have_a_file() -> None:
    files = {number for number, file, *_ in ROWS if file}
    lost = []
    for path in (*(ROOT / "docs").glob("*.md"), *FILES.values()):
        for run, alone in CITATION.findall(path.read_text()):
            lost += [(path.name, number) for number in re.findall(r"\d{4}", run or alone) if number not in files]
    assert lost == []
