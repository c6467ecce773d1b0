"""The SBOM of the portal (CycloneDX, S48): its Python packages by cyclonedx-py, and the npm packages whose files pages serve."""

import base64
import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

_LOCK, _PROJECT = "package-lock.json", "pyproject.toml"
_FOLDER = "node_modules/"


def arguments(root: Path, python: str, path: Path) -> list[str]:
    """Returns the command that writes the Python packages of the environment to `path`, below the project as root component."""
    project = ["--pyproject", str(root / _PROJECT)]
    # Validation of what its own library writes would take ten times as long.
    return [python, "-m", "cyclonedx_py", "environment", "--no-validate", *project, "--output-file", str(path), python]


def add_npm_packages(root: Path, path: Path) -> None:
    """Adds to the SBOM at `path` each npm package of the lock that is no development tool, with its hash and licence."""
    bill = json.loads(path.read_text())
    packages = json.loads((root / _LOCK).read_text())["packages"]
    found = [
        _component(place.rpartition(_FOLDER)[2], facts) for place, facts in packages.items() if place and not facts.get("dev")
    ]
    bill["components"] = [*bill.get("components", []), *found]
    path.write_text(json.dumps(bill, indent=2, ensure_ascii=False))


def _component(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    algorithm, _, digest = facts["integrity"].partition("-")
    purl = f"pkg:npm/{quote(name, safe='/')}@{facts['version']}"
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": facts["version"],
        "purl": purl,
        "licenses": [{"license": {"id": facts["license"]}}],
        "hashes": [{"alg": f"SHA-{algorithm.removeprefix('sha')}", "content": base64.b64decode(digest).hex()}],
    }
