"""Simulators start as strangers: nothing of the portal is loaded with them, and nothing of its models can be."""

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import get_commands

from tests import fork_server

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ROOT / "siths_portal" / "simulators" / "management" / "commands"
NAMES = sorted(path.stem for path in COMMANDS.glob("*_simulator.py"))
KNOWN = re.compile(r"siths_portal(\.simulators(\..+)?|\.lib(\.(processes(\.ending)?|files(\.atomic)?))?)?")
PORTALS = ("PORT_BASE", "PORTAL_BASE_URL", "SECRET_KEY_FILE", "DATABASE_URL")
NOT_THEIRS = {"authn", "billing", "celery", "issuance", "pki", "psycopg2", "rest_framework", "structlog"}


def run(code: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    kept = {name: value for name, value in os.environ.items() if name not in PORTALS}
    with fork_server.anew():
        return subprocess.run(
            [sys.executable, "-c", code],
            cwd=ROOT,
            env=kept | environment,
            capture_output=True,
            text=True,
            timeout=150,
            check=True,
        )


def inside(code: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Runs `code` where a simulator's settings are set up."""
    start = "from django.apps import apps; from django.conf import settings; apps.populate(settings.INSTALLED_APPS)\n"
    return run(start + code, DJANGO_SETTINGS_MODULE="siths_portal.simulators.settings", SITHS_VAR_DIR=str(folder))


def test_manage_and_django_know_the_same_simulators() -> None:
    assert runpy.run_path(str(ROOT / "manage.py"))["SIMULATORS"] == set(NAMES)
    assert {name for name, app in get_commands().items() if app == "siths_portal.simulators"} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_start_loads_nothing_of_the_portal(name: str) -> None:
    """Also if its starter has the portal's settings, as this process has."""
    code = f"""
import atexit, runpy, sys
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
sys.argv = ["manage.py", "{name}", "--help"]
runpy.run_path("manage.py", run_name="__main__")
"""
    done = run(code, DJANGO_SETTINGS_MODULE="siths_portal.settings")
    assert f"manage.py {name}" in done.stdout
    loaded = set(done.stderr.split())
    assert f"siths_portal.simulators.management.commands.{name}" in loaded
    assert not {module for module in loaded if module.partition(".")[0] in NOT_THEIRS}
    assert not {module for module in loaded if module.startswith("siths_portal") and not KNOWN.fullmatch(module)}


def test_the_portals_models_cannot_be_loaded(tmp_path: Path) -> None:
    code = """
from importlib import import_module
for app in ("authn", "pki", "issuance", "billing"):
    try:
        import_module(f"{app}.models")
    except RuntimeError as error:
        print(app, "INSTALLED_APPS" in str(error))
"""
    assert inside(code, tmp_path).stdout.split() == ["authn", "True", "pki", "True", "issuance", "True", "billing", "True"]


def test_what_a_library_logs_is_a_clean_line(tmp_path: Path) -> None:
    code = """
import logging, threading, warnings
logging.getLogger("urllib3").info("seen by nobody")
warnings.warn("of 189001019802")
threads = [threading.Thread(target=logging.getLogger("urllib3").warning, args=("for %s", "189001019802")) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
"""
    done = inside(code, tmp_path)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["logger"] for line in lines] == ["py.warnings"] + ["urllib3"] * 8
    assert "189001019802" not in done.stderr
    assert all(line["event"] == "for [dolt]" and line["level"] == "warning" for line in lines[1:])


def test_of_the_portals_settings_only_addresses_are_taken(tmp_path: Path) -> None:
    lines = ["PORT_BASE=9100", "PORTAL_BASE_URL='http://a.example'", "SECRET_KEY_FILE=/x", "DATABASE_URL=postgres://y", ""]
    (tmp_path / "portal.env").write_text("\n".join(lines))
    done = inside(f"import json, os; print(json.dumps([os.environ.get(name) for name in {PORTALS}]))", tmp_path)
    assert json.loads(done.stdout) == ["9100", "http://a.example", None, None]
