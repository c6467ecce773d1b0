"""`UPGRADING.md` lists the migrations after which older code does not run, and links of documents lead somewhere."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
APPS = ("authn", "billing", "issuance", "pki", "siths_portal")
TAKES_AWAY = {"DeleteModel", "RemoveField", "RenameField", "RenameModel"}
DOCUMENTS = (ROOT / "README.md", ROOT / "SECURITY.md", ROOT / "UPGRADING.md", *sorted((ROOT / "docs").rglob("*.md")))
"""Every document that is not a package's."""


def operations(migration: Path) -> set[str]:
    """Names of the migration's operations."""
    calls = (node.func for node in ast.walk(ast.parse(migration.read_text())) if isinstance(node, ast.Call))
    return {call.attr for call in calls if isinstance(call, ast.Attribute)}


def test_every_migration_that_takes_something_away_is_listed_and_no_other() -> None:
    files = [path for app in APPS for path in (ROOT / app / "migrations").glob("0*.py")]
    assert len(files) > 100
    found = {f"{path.parent.parent.name}/{path.stem}" for path in files if operations(path) & TAKES_AWAY}
    listed = re.findall(r"^\| `(\w+/\d\w+)` \|", (ROOT / "UPGRADING.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(found)


def anchors(document: Path) -> set[str]:
    """Anchors of the document's headings, as code sites make them."""
    headings = re.findall(r"^#+ (.+)$", document.read_text(), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


def broken(document: Path, text: str) -> list[str]:
    """Links of the text that lead to no file or heading."""
    found = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```|`[^`]*`", "", text, flags=re.DOTALL)):
        path, _, anchor = target.partition("#")
        if ":" in path:
            continue
        file = (document.parent / path).resolve() if path else document
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            found.append(target)
    return found


def test_links_of_documents_lead_to_files_and_headings() -> None:
    assert {str(path.relative_to(ROOT)): wrong for path in DOCUMENTS if (wrong := broken(path, path.read_text()))} == {}
    assert broken(ROOT / "README.md", "[a](docs/nothing.md) [b](UPGRADING.md#nothing) [c](UPGRADING.md#order)") == [
        "docs/nothing.md", "UPGRADING.md#nothing",
    ]  # fmt: skip
