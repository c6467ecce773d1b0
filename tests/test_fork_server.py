"""`tests/fork_server.py`: a forked process is to its starter and to itself what a started one is."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import fork_server

SAY = """
import json, os, signal, sys
print(json.dumps({
    "argv": sys.argv, "path": sys.path, "name": __name__, "main": sys.modules["__main__"].__dict__ is globals(),
    "folder": os.getcwd(), "parent": os.getppid(), "session": os.getsid(0) == os.getpid(), "input": sys.stdin.read(),
    "group": os.getpgid(0) == os.getpid(),
    "variables": dict(os.environ), "thread": __import__("threading").get_native_id() == os.getpid(),
    "open": sorted(os.listdir("/proc/self/fd"))[:3], "interrupt": str(signal.getsignal(signal.SIGINT)),
}))
"""


def told(folder: Path, command: list[str], **options: object) -> dict[str, object]:
    done = subprocess.run(  # type: ignore[call-overload]
        [sys.executable, *command], input="in", capture_output=True, text=True, cwd=folder, check=True, **options
    )
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("way", ["-c", "-m", "file"])
@pytest.mark.parametrize(("own_session", "quietly"), [(False, True), (True, False)])
def test_a_process_finds_what_it_would_find(tmp_path: Path, way: str, own_session: bool, quietly: bool) -> None:
    (tmp_path / "say.py").write_text(SAY)
    command = {"-c": ["-c", SAY, "one"], "-m": ["-m", "say", "one"], "file": ["say.py", "one"]}[way]
    command = [*fork_server.QUIETLY, *command] if quietly else command
    options = {"env": os.environ | {"OTHER": "ä"}, "start_new_session": own_session}
    forked = told(tmp_path, command, **options)
    with fork_server.anew():
        assert told(tmp_path, command, **options) == forked
    assert forked["parent"] == os.getpid()
    assert forked["session"] is own_session


def test_a_process_with_its_own_group_and_hardly_any_variables(tmp_path: Path) -> None:
    """As `lib.processes.children` starts them."""
    options = {"env": {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}, "process_group": 0}
    forked = told(tmp_path, ["-c", SAY], **options)
    with fork_server.anew():
        assert told(tmp_path, ["-c", SAY], **options) == forked
    assert forked["group"]
    code = "import sys; sys.exit('celery' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, **options).returncode == 1  # type: ignore[call-overload]


def test_starts_are_forked_but_where_a_test_wants_a_new_one() -> None:
    code = "import sys; sys.exit('celery' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
    with fork_server.anew():
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert subprocess.run([sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": "1"}, check=False).returncode == 0


@pytest.mark.parametrize(
    ("code", "status", "said"),
    [
        ("raise SystemExit(3)", 3, ""),
        ("raise SystemExit('no')", 1, "no\n"),
        ("import atexit; atexit.register(print, 'last'); print('first')", 0, "first\nlast\n"),
        ("import os; os.abort()", -signal.SIGABRT, ""),
        ("import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('end'))).start()", 0, "end\n"),
    ],
)
def test_ends_are_told(code: str, status: int, said: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, said)


def test_an_error_is_told() -> None:
    done = subprocess.run([sys.executable, "-c", "1 // 0"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.endswith("ZeroDivisionError: integer division or modulo by zero\n")


def test_a_process_is_killed_and_waited_for() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; print(1, flush=True); time.sleep(60)"], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"1\n"
    assert process.poll() is None
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stdout.close()


def test_a_folder_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        subprocess.run([sys.executable, "-c", "pass"], cwd=tmp_path / "none", check=False)


SHOW = """
import gc, json, os, sys
from django.conf import settings
print(json.dumps({
    "settings": {name: repr(getattr(settings, name)) for name in dir(settings) if name.isupper()},
    "frozen": gc.get_freeze_count(),
    "argv": sys.argv, "path": sys.path, "folder": os.getcwd(), "parent": os.getppid(), "variables": dict(os.environ),
}))
"""


type Shown = tuple[dict[str, object], int]


def shown(**variables: str) -> Shown:
    """What a command finds, and how much the process that forked it had loaded."""
    command = ["manage.py", "shell", "--no-imports", "-c", SHOW]
    found = told(Path.cwd(), command, env=os.environ | {"SITHS_FACE": "minasidor"} | variables)  # no other file's tests start it
    return found, found.pop("frozen")  # type: ignore[return-value]


@pytest.fixture(scope="module")
def starts() -> list[Shown]:
    """The first two starts of the command in this test process. Every test that starts it uses them, so that it comes later."""
    return [shown(PKI_STATUS_DIR=f"/nowhere/{name}", PGAPPNAME=name) for name in ("one", "two")]


@pytest.mark.usefixtures("starts")
class TestLoaded:
    """What starts again is forked with our modules, and finds what a new start would find."""

    def test_its_own_settings_and_variables(self, starts: list[Shown]) -> None:
        third, frozen = shown(PKI_STATUS_DIR="/nowhere/three", PGAPPNAME="three")
        assert frozen == starts[1][1] > starts[0][1] + 10_000
        with fork_server.anew():
            assert shown(PKI_STATUS_DIR="/nowhere/three", PGAPPNAME="three")[0] == third

    def test_what_modules_read_when_they_are_loaded_is_never_another_starts(self, starts: list[Shown]) -> None:
        loaded = starts[1][1]
        for variables in ({"DEBUG": ""}, {"DATABASE_URL": "postgres://other@/other?host=/tmp"}, {"SITHS_FACE": "status"}):
            started, frozen = shown(**variables)
            assert frozen < loaded
            with fork_server.anew():
                assert shown(**variables)[0] == started

    def test_a_houses_own_variables(self, tmp_path: Path) -> None:
        (tmp_path / "portal.env").write_text("SUPPORT_CONTACT=somebody@example.test\n")
        started, _ = shown(SITHS_VAR_DIR=str(tmp_path))
        with fork_server.anew():
            assert shown(SITHS_VAR_DIR=str(tmp_path))[0] == started
        assert started["settings"]["SUPPORT_CONTACT"] == "'somebody@example.test'"  # type: ignore[index]

    def test_a_start_that_fails_fails_each_time(self) -> None:
        for _ in range(3):
            done = subprocess.run(
                [sys.executable, "manage.py", "shell", "-c", "print(1)"], env=os.environ | {"SITHS_FACE": "none"},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stdout) == (2, "")
            assert done.stderr.startswith("SITHS_FACE is 'none'.")
