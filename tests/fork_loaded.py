"""A server that has loaded a program's modules, and forks for starts that would load the same (`fork_server`)."""

import gc
import importlib
import os
import runpy
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fork_server import Request, plain

SETTINGS = "siths_portal.settings"
COMMANDS, JOBS = "manage.py", "siths_portal.celery"
SITES = {"siths_portal.wsgi:application", "tests.scanned_site:application"}
WORKERS = {
    "tests.billing.worker": (
        "billing.credit.services.crediting", "billing.delivery.services.sending", "billing.invoices.services.rendering",
        "billing.runs.services.schedule", "billing.service", "issuance.roles.services.actors", "tests.billing.world",
    ),
}  # fmt: skip
"""Programs of tests that start again, and what they load before they do anything."""
METRICS = "PROMETHEUS_MULTIPROC_DIR"  # where it is set, modules open files of the process when they are loaded


def become(request: Request) -> None:
    """Makes this process what the interpreter would have made of the request."""
    if request.own_session:
        os.setsid()
    if request.own_group:
        os.setpgid(0, 0)
    if "PYTHONPATH" not in request.environment:
        searched = os.environ.get("PYTHONPATH", "").split(os.pathsep)
        sys.path[:] = [each for each in sys.path if each not in searched]
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)


def program_of(request: Request) -> Hashable:
    """What starts have in common that load the same modules; None for others than services, commands and `WORKERS`."""
    command, environment = plain(request.command), request.environment
    if METRICS in environment or environment.get("DJANGO_SETTINGS_MODULE") != SETTINGS:
        return None
    place = request.folder, environment.get("SITHS_FACE"), "PYTHONPATH" in environment
    if command[:2] == ["-m", "granian"] and (site := SITES.intersection(command)):
        return place, *site
    if command[:4] == ["-m", "celery", "-A", JOBS]:
        return place, JOBS
    if command[0] == "-m" and command[1] in WORKERS:
        return place, command[1]
    if command[0] not in (COMMANDS, str(Path(request.folder, COMMANDS))) or len(command) == 1:
        return None
    return None if command[1].endswith("_simulator") else (place, COMMANDS, command[1])


class _Watched(os._Environ):  # type: ignore[type-arg]
    """Variables, of which it is noted which are read."""

    read: set[str] = set()

    def __getitem__(self, name: str) -> str:
        self.read.add(name)
        return super().__getitem__(name)

    def __iter__(self) -> Iterator[str]:
        self.read.update(each.decode() for each in self._data)
        return super().__iter__()


class Loaded:
    """What this server loaded: modules, and the settings and variables that they read meanwhile."""

    def __init__(self, request: Request) -> None:
        gc.disable()  # what is loaded is no garbage
        self._request = request
        search = sys.path[:]
        become(replace(request, own_session=False, own_group=False))
        before, opened = dict(os.environ), _opened()
        sys.path.insert(0, request.folder)
        self._load(plain(request.command))
        sys.path[:] = search
        if _has_variables_in_a_file(before) or _opened() != opened or len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
            raise RuntimeError("what loaded has opened something")
        self._variables = {name: value for name, value in os.environ.items() if before.get(name) != value}
        self._next = dict[str, Any]()
        gc.freeze()
        gc.enable()

    def _load(self, command: list[str]) -> None:
        """Loads what the command line loads before it does anything."""
        if command[0].endswith(COMMANDS):
            from django.core import management

            def load(_argv: list[str]) -> None:
                self._watch(lambda: management.load_command_class(management.get_commands()[command[1]], command[1]))

            sys.argv = command[:2]
            execute, management.execute_from_command_line = management.execute_from_command_line, load
            runpy.run_path(COMMANDS)["main"]()
            management.execute_from_command_line = execute
        elif JOBS in command:
            self._watch(lambda: importlib.import_module(JOBS).app.loader.import_default_modules())
        elif command[1] in WORKERS:
            self._watch(lambda: [importlib.import_module(name) for name in WORKERS[command[1]]])
        else:
            self._watch(_load_pages)

    def _watch(self, load: Callable[[], object]) -> None:
        import django
        from django.conf import settings

        importlib.import_module(SETTINGS)
        self._known = _settings_now()
        plain, os.environ.__class__ = os.environ.__class__, _Watched
        django.setup()
        load()
        os.environ.__class__ = plain
        self._read = vars(settings).keys() - {"_wrapped"}  # where Django keeps what it was asked for

    def fits(self, request: Request) -> bool:
        """Whether a start of the request would have loaded the same."""
        now, then = (each.environment | self._variables for each in (request, self._request))
        if any(now.get(name) != then.get(name) for name in _Watched.read):
            return False
        if _has_variables_in_a_file(now):
            return False
        os.environ.clear()
        os.environ.update(now)
        try:
            self._next = _settings_now()
        except (Exception, SystemExit):  # noqa: BLE001  (an ordinary start follows, reads the same settings and shows the fault)
            return False
        same = all(self._next.get(name) == self._known.get(name) for name in self._read)
        return same and _settings(self._next) == _settings(self._known)

    def become(self, request: Request) -> None:
        """Gives this process the settings and variables of the request."""
        from django.conf import settings

        become(request)
        os.environ.update(self._variables)
        for name in _settings(self._next) - self._read:
            setattr(settings._wrapped, name, self._next[name])
            setattr(sys.modules[SETTINGS], name, self._next[name])


def _settings_now() -> dict[str, Any]:
    """What the modules of the settings hold if they are loaded now. The loaded ones stay as they are."""
    import siths_portal

    kept = {name: sys.modules.pop(name) for name in list(sys.modules) if f"{name}.".startswith(f"{SETTINGS}.")}
    try:
        return vars(importlib.import_module(SETTINGS))
    finally:
        for name in [name for name in sys.modules if f"{name}.".startswith(f"{SETTINGS}.")]:
            del sys.modules[name]
        sys.modules.update(kept)
        siths_portal.settings = kept[SETTINGS]  # type: ignore[attr-defined]


def _settings(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.isupper()}


def _has_variables_in_a_file(environment: Mapping[str, str]) -> bool:
    """Whether the settings would set variables of a house."""
    return Path(environment.get("SITHS_VAR_DIR", "var"), "portal.env").exists()


def _load_pages() -> None:
    """What `siths_portal.wsgi` loads and does not do."""
    from django.conf import settings

    importlib.import_module("django.core.handlers.wsgi")
    for name in settings.MIDDLEWARE:
        importlib.import_module(name.rpartition(".")[0])
    importlib.import_module("siths_portal.lib.checks")
    importlib.import_module("siths_portal.wiring.ports")
    importlib.import_module(settings.ROOT_URLCONF)


def _opened() -> list[str]:
    return sorted(os.listdir("/proc/self/fd"))  # noqa: PTH208
