"""What `make check` looks at in files."""

import json
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from siths_portal.dev import checks
from siths_portal.dev.progress import HouseError

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
    assert checks.npm_verdict({"message": "405 Method Not Allowed"}) == "not audited: npm packages (405 Method Not Allowed)"
    assert checks.npm_verdict({}) == "not audited: npm packages (no answer)"


def test_an_npm_package_with_a_known_vulnerability_fails_the_audit() -> None:
    report = {"metadata": {"vulnerabilities": {"total": 0}, "dependencies": {"total": 4}}}
    assert checks.npm_verdict(report) == "Audited: no known vulnerability in 4 npm packages."
    report["metadata"]["vulnerabilities"]["total"] = 2
    with pytest.raises(HouseError, match="2 known vulnerabilities"):
        checks.npm_verdict(report)


def locked() -> list[dict[str, Any]]:
    """The packages of the lock that come from an index."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return [package for package in packages if "registry" in package["source"]]


def test_every_file_of_the_lock_has_a_hash() -> None:
    files = [file for package in locked() for file in (*package.get("wheels", []), package.get("sdist"))]
    assert len(locked()) > 100
    assert [file["url"] for file in files if file and not file.get("hash", "").startswith("sha256:")] == []
    assert [package["name"] for package in locked() if not (package.get("wheels") or package.get("sdist"))] == []


def test_the_sbom_names_what_the_portal_consists_of_in_the_versions_of_the_locks(folder: Path) -> None:
    bill = json.loads(checks.write_sbom(ROOT, folder).read_text())
    purls = {each["purl"].partition("?")[0] for each in bill["components"]}
    python = {canonicalize_name(each["name"]): each["version"] for each in bill["components"] if "pkg:pypi/" in each["purl"]}
    assert python.items() - {each["name"]: each["version"] for each in locked()}.items() == set()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert {Requirement(each).name for each in project["dependencies"]} - python.keys() == set()
    assert bill["metadata"]["component"]["name"] == project["name"]
    pages = json.loads((ROOT / "package.json").read_text())["dependencies"]
    served = {each["name"]: each for each in bill["components"] if each["bom-ref"].startswith("pkg:npm/")}
    assert {name: served[name]["version"] for name in pages} == pages
    assert f"pkg:npm/%40digdir/designsystemet-css@{pages['@digdir/designsystemet-css']}" in purls
    assert {(each["hashes"][0]["alg"], len(each["hashes"][0]["content"])) for each in served.values()} == {("SHA-512", 128)}


INTERPRETER = """#!/bin/sh
if [ "$2" = pip_audit ]; then echo "Found 1 known vulnerability in 1 package" >&2; exit 1; fi
[ {sbom} ] || {{ echo "no environment"; exit 1; }}
echo '{{}}' > var/dependencies/sbom.cdx.json
"""


@pytest.mark.parametrize(("sbom", "refusal"), [("1", "Found 1 known vulnerability"), ("", "SBOM: no environment")])
def test_an_audit_fails_for_a_known_vulnerability_and_without_an_sbom(folder: Path, sbom: str, refusal: str) -> None:
    shutil.copy(ROOT / "package-lock.json", folder)
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(INTERPRETER.format(sbom=sbom))
    python.chmod(0o755)
    with pytest.raises(HouseError, match=refusal):
        checks.run_audit(folder)
