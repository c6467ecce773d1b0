"""The documents name what the code reads."""

import ast
import re
from pathlib import Path

from siths_portal.lib.processes.table import DATABASE_URLS, OWNER_URL, PROCESSES

ROOT = Path(__file__).resolve().parent.parent.parent
# Read by libraries or by make targets, not by the settings.
ELSEWHERE = {"SOFTHSM2_CONF", "PYTEST_ARGS", "SITHS_LONG", "AREA"}


def variables_of_settings() -> set[str]:
    found = set()
    modules = [ast.parse(path.read_text()) for path in sorted((ROOT / "siths_portal" / "settings").glob("*.py"))]
    for node in (node for module in modules for node in ast.walk(module)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        reader = ast.unparse(node.func)
        if reader == "secret" or reader.startswith(("env.", "environ.Env().")):
            names = [part.value for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
            found.update(name for name in names if isinstance(name, str))
    # URL and password of a process's connection are read by names out of a table.
    databases = (ROOT / "siths_portal" / "lib" / "database" / "connections.py").read_text()
    urls = {*DATABASE_URLS.values(), OWNER_URL}
    passwords = {url.removesuffix("_URL") + "_PASSWORD_FILE" for url in urls}
    return found | urls | passwords | set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+)"', databases))


def documented() -> set[str]:
    cells = re.findall(r"^\| ((?:`[A-Z0-9_]+`(?:, )?)+) \|", (ROOT / "docs" / "settings.md").read_text(), re.M)
    return {name for cell in cells for name in re.findall(r"`([^`]+)`", cell)}


def test_every_variable_that_settings_reads_is_documented_and_no_other() -> None:
    read = variables_of_settings()
    assert {"DEBUG", "SECRET_KEY_FILE", "SITHS_VAR_DIR"} <= read
    assert sorted(read - documented()) == []
    assert sorted(documented() - ELSEWHERE - read) == []


def test_every_make_target_is_in_the_readme_and_has_its_work() -> None:
    from siths_portal.dev.house import TARGETS

    targets = re.search(r"^TARGETS := (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert targets
    assert set(targets[1].split()) == set(TARGETS)
    readme = (ROOT / "README.md").read_text()
    assert [target for target in TARGETS if f"make {target}" not in readme] == []


def test_operations_lists_every_process_and_its_user() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    rows = re.findall(r"^\| (`[^|]+`) \| ([^|]+) \|", text, re.M)
    described = {name for cell, _ in rows for name in re.findall(r"`([^`]+)`", cell)}
    assert [process.name for process in PROCESSES if process.name not in described] == []
    runs = {(cell.strip("`"), name) for cell, what in rows for name in re.findall(r"`([^`]+)`", what)}
    assert [process.name for process in PROCESSES if (process.user, process.name) not in runs] == []
