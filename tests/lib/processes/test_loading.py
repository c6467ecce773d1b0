"""What a process loads to start: libraries that its work rarely needs come when they are needed, and never before.

Each takes a good part of what Django itself takes, in each face, worker and command, at each start.
"""

import functools
import json
import os
import subprocess
import sys

import pytest
from django.conf import settings

from siths_portal.lib import ports
from siths_portal.lib.processes.loading import without
from tests import fork_server

FACES = ("portal", "minasidor", "api", "status")
NEVER = ("rich", "pygments", "weasyprint", "openpyxl", "pyhanko", "yaml")
"""Of no process that merely starts; `rich` is not there in production, and a start must not differ from it in development."""
OUTWARDS = ("requests", "urllib3", "chardet", "charset_normalizer")
QUEUE = ("celery", "kombu")
SERVICES = (
    "pki.service",
    "issuance.service",
    "billing.service",
    "authn.service",
    "rest_framework.views",
    "siths_portal.wiring.ports",
)


FACE = """
import siths_portal.wsgi, json, sys
print(json.dumps(sorted(sys.modules)))
import importlib
importlib.import_module(f"siths_portal.wiring.urls_{sys.argv[1]}")
import pki.service
print(json.dumps(sorted(sys.modules)))
"""


@functools.cache
def modules_of(face: str) -> tuple[frozenset[str], frozenset[str]]:
    """The names of all modules that a process of the face has when it has started, and then with the service of `pki`."""
    environment = os.environ | {"SITHS_FACE": face, "PKCS11_PIN_FILE": "", "PYTHONPATH": str(settings.BASE_DIR)}
    with fork_server.anew():
        done = subprocess.run(
            [sys.executable, "-c", FACE, face], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True
        )
    assert (done.returncode, done.stderr) == (0, "")
    started, served = (frozenset(json.loads(line)) for line in done.stdout.splitlines()[-2:])
    return started, served


def loaded(code: str, **environment: str) -> set[str]:
    """The names of all modules that a process of its own has after it did `code`, without test runners' settings."""
    text = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = run(text, **environment)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def run(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", "-c", code]
    with fork_server.anew():
        return subprocess.run(command, cwd=settings.BASE_DIR, env=os.environ | environment, capture_output=True, text=True)


@pytest.mark.parametrize("face", FACES)
def test_a_face_starts_without_what_it_rarely_needs(face: str) -> None:
    modules, _ = modules_of(face)
    assert {f"siths_portal.wiring.urls_{face}", "siths_portal.wiring.ports"} <= modules, "the face is there"
    assert modules & {*NEVER, *OUTWARDS, *QUEUE} == set()


@pytest.mark.parametrize("face", FACES)
def test_a_face_does_not_even_load_the_token_library(face: str) -> None:
    """Keys are reached by the pki worker and operators' commands, never by a process that serves the web (S26)."""
    _, modules = modules_of(face)
    assert "pki.service" in modules
    assert {name for name in modules if name == "pkcs11" or name.startswith(("pkcs11.", "pki.hsm"))} == set()


def test_a_command_starts_without_the_services_of_the_applications() -> None:
    modules = loaded(
        "from django.core.management import call_command; import django; django.setup(); call_command('check', '--list-tags')"
    )
    assert {"pki.models", "issuance.models", "billing.models", "authn.models"} <= modules
    assert modules & {*NEVER, *OUTWARDS, *QUEUE, *SERVICES} == set()


def test_a_worker_and_the_scheduler_start_without_what_they_rarely_need() -> None:
    modules = loaded("from siths_portal.celery import app; app.loader.import_default_modules()")
    assert {"pki.tasks", "issuance.tasks", "billing.tasks", "authn.tasks", "siths_portal.tasks"} <= modules
    assert (
        modules & {"rich", "pygments", "weasyprint", "openpyxl", "pyhanko", "siths_portal.wiring.urls_portal", *OUTWARDS} == set()
    )


@pytest.mark.parametrize("start", ["import siths_portal.wsgi", "from siths_portal import celery; celery.refuse_unsafe()"])
def test_nobody_serves_with_an_adapter_that_is_not_there(start: str) -> None:
    code = f"import django; django.setup()\n{start}"
    done = run(code, DIRECTORY_BACKEND="issuance.people.adapters.nowhere.Directory", SITHS_FACE="api")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named 'issuance.people.adapters.nowhere'" in done.stderr


@pytest.fixture
def unwired(monkeypatch: pytest.MonkeyPatch) -> None:
    """No port is connected and nothing would connect one, until after the test."""
    monkeypatch.setattr(ports, "_adapters", {})
    monkeypatch.setattr(ports, "_wiring", None)


def test_ports_are_wired_once_and_when_the_first_is_used(unwired: None) -> None:
    class Port:
        """A port."""

    adapters, wired = [object(), object()], []

    def wiring() -> None:
        wired.append(1)
        ports.connect(Port, adapters[0])

    ports.connect_by(wiring)
    assert wired == []
    assert ports.get(Port) is adapters[0]
    ports.connect(Port, adapters[1])
    assert ports.get(Port) is adapters[1]
    ports.connect_by(wiring)
    ports.connect(Port, adapters[1])
    assert ports.get(Port) is adapters[1], "what was connected by name stays, though the wiring was yet to be done"
    assert wired == [1, 1]


def test_wiring_that_fails_fails_for_everybody(unwired: None) -> None:
    def wiring() -> None:
        raise ImportError("nowhere")

    ports.connect_by(wiring)
    for _ in range(2):
        with pytest.raises(ImportError, match="nowhere"):
            ports.get(int)


def test_the_collector_works_again_after_loading() -> None:
    code = (
        "import gc; from siths_portal.lib.processes.loading import uncollected\n"
        "try:\n"
        "    with uncollected():\n"
        "        assert not gc.isenabled()\n"
        "        raise ValueError\n"
        "except ValueError:\n"
        "    assert gc.isenabled() and gc.get_freeze_count() > 1000\n"
        "import siths_portal.wsgi\n"
        "assert gc.isenabled()\n"
    )
    done = run(code, SITHS_FACE="status")
    assert done.returncode == 0, done.stderr


def test_a_library_is_hidden_only_while_something_else_is_loaded() -> None:
    with without("wave"), pytest.raises(ModuleNotFoundError):
        import wave
    import wave  # noqa: F401

    with without("wave"):
        assert sys.modules["wave"] is not None
    assert sys.modules["wave"] is not None
