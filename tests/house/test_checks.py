"""What `make check` looks at in files."""

import subprocess
from pathlib import Path

import pytest

from siths_portal.dev import checks

ROOT = Path(__file__).resolve().parent.parent.parent


def test_the_lock_of_this_tree_names_the_public_hosts(folder: Path) -> None:
    assert checks.lock_hosts(ROOT) is None


def test_a_private_host_in_the_lock_is_named(folder: Path) -> None:
    text = (ROOT / "uv.lock").read_text()
    (folder / "uv.lock").write_text(text + '\nsource = { registry = "https://packages.example.net/simple" }\n')
    assert "packages.example.net" in (checks.lock_hosts(folder) or "")


@pytest.mark.parametrize("planted", ["{clone}/var", "/ro" + "ot/notes", "/ho" + "me/somebody/x", "{home}/x"])
def test_a_path_of_the_machine_in_a_tracked_file_is_found(folder: Path, planted: str) -> None:
    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    (folder / "good.py").write_text('x = root / "home" / "user"\ny = "https://example.org/home/x"\n')
    (folder / "bad.md").write_text(planted.format(clone=folder, home=Path.home()))
    subprocess.run(["git", "add", "."], cwd=folder, check=True)
    assert checks.machine_paths(folder) == "paths of a machine in: bad.md"


def test_an_audit_without_answers_says_not_audited() -> None:
    known, unknown = {"name": "a", "vulns": []}, {"name": "b", "skip_reason": "not found"}
    assert checks.audit_verdict([unknown, unknown]).startswith("not audited: ")
    assert checks.audit_verdict([known, unknown]) == "Audited: no known vulnerability in 1 packages. not audited: b"
    assert checks.audit_verdict([known]) == "Audited: no known vulnerability in 1 packages."
