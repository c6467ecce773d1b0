"""Files of tests run in forked processes (`siths_portal/dev/processes_of_tests.py`): small suites, each in its own pytest."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

CONFTEST = """
import os
from pathlib import Path
import pytest

FIRST, HERE = os.getpid(), Path(__file__).parent

def tell(line):
    with (HERE / "told").open("a") as file:
        print(os.getpid(), line, file=file)

@pytest.hookimpl(optionalhook=True)
def pytest_process_start(number):
    tell(f"start {number}")

@pytest.hookimpl(optionalhook=True)
def pytest_process_end():
    tell("end")

@pytest.fixture(scope="session")
def session_thing():
    tell("session set up")
    yield
    tell("session torn down")

@pytest.fixture(scope="module")
def module_thing():
    yield
    tell("module torn down")
"""
FILE = """
import os
import conftest

def test_one(session_thing, module_thing, tmp_path):
    print("what a test prints is kept for its report")
    assert os.getpid() != conftest.FIRST, "a process of its own, with what the first one loaded"
    conftest.tell(f"folder {tmp_path}")

def test_two(session_thing, module_thing):
    conftest.tell("two")
"""
DIES = """
import os

def test_before():
    pass

def test_dies():
    os.kill(os.getpid(), 9)

def test_after():
    pass
"""


def run(folder: Path, *arguments: str, **files: str) -> subprocess.CompletedProcess[str]:
    """Runs the files in two processes."""
    for name, content in {"conftest": CONFTEST, **files}.items():
        (folder / f"{name}.py").write_text(content)
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -q -p no:cacheprovider\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO", "SITHS"))}
    kept |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "siths_portal.dev.processes_of_tests", "--processes", "2", *arguments]
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False, timeout=120)


def test_each_file_runs_whole_in_a_forked_process(tmp_path: Path) -> None:
    done = run(tmp_path, test_a=FILE, test_b=FILE, test_c=FILE)
    assert (done.returncode, done.stderr) == (0, "")
    assert "6 passed" in done.stdout
    told: dict[str, list[str]] = {}
    for line in (tmp_path / "told").read_text().splitlines():
        process, _, what = line.partition(" ")
        told.setdefault(process, []).append(what.split("pytest-of")[0])
    assert len(told) == 2
    assert sorted(lines[0] for lines in told.values()) == ["start 0", "start 1"]
    for lines in told.values():
        files = lines.count("two")
        each = ["folder /tmp/", "two", "module torn down"] * files
        assert lines[1:] == (["session set up", *each, "session torn down"] if files else []) + ["end"]


def test_a_process_that_dies_is_red_and_the_tests_after_it_run(tmp_path: Path) -> None:
    done = run(tmp_path, test_a=DIES, test_b=FILE)
    assert done.returncode == 1
    assert "1 failed, 4 passed" in done.stdout
    assert "the test process ended with -9" in done.stdout
    assert "FAILED test_a.py::test_dies" in done.stdout


def test_a_failure_is_told_with_what_its_test_printed_and_ends_the_run_if_asked(tmp_path: Path) -> None:
    wrong = "def test_wrong():\n    print('printed before')\n    assert 1 == 2\n\ndef test_never():\n    pass\n"
    done = run(tmp_path, "-x", test_a=wrong)
    assert done.returncode == 1
    for part in ("printed before", "assert 1 == 2", "1 failed", "stopping after 1 failures"):
        assert part in done.stdout
    assert "passed" not in done.stdout


def test_what_cannot_be_loaded_ends_the_run_before_it_begins(tmp_path: Path) -> None:
    done = run(tmp_path, test_a="raise ValueError('no')", test_b=FILE)
    assert done.returncode == 2
    assert "1 error" in done.stdout
    assert not (tmp_path / "told").exists()
