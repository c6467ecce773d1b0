"""The suite does not run the benchmarks, so a rename could break them unseen: each name that they import must exist."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("siths_portal", "authn", "pki", "issuance", "billing")


def exists(module: str, name: str) -> bool:
    """Whether the module has the name, or a submodule of the name."""
    found = importlib.import_module(module)
    return hasattr(found, name) or any(each.name == name for each in pkgutil.iter_modules(getattr(found, "__path__", [])))


@pytest.mark.parametrize("file", sorted((ROOT / "tests" / "bench").glob("*.py")), ids=lambda file: file.stem)
def test_each_imported_name_of_ours_exists(file: Path) -> None:
    imports = [node for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if node.module and node.module.partition(".")[0] in PACKAGES]
    names = [(node.module, alias.name) for node in ours for alias in node.names]
    assert [f"{module}.{name}" for module, name in names if module and not exists(module, name)] == []
