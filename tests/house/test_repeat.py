"""Failed tests are repeated once at the end (`siths_portal/dev/repeat.py`): small suites, each run by a pytest of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
TWICE = """
from pathlib import Path

def first_time(name):
    mark = Path(__file__).with_name(name)
    first = not mark.exists()
    mark.touch()
    return first
"""


def run_suite(folder: Path, suite: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the suite in a forked process, as `make test` does in several."""
    (folder / "pytest.ini").write_text("[pytest]\naddopts = -q -p randomly\n")
    (folder / "test_suite.py").write_text(TWICE + suite)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "DJANGO", "SITHS"))}
    plugins = ("-p", "siths_portal.dev.repeat", "-p", "siths_portal.dev.processes_of_tests", "--processes", "1")
    command = [sys.executable, "-m", "pytest", *plugins, *arguments]
    kept |= {"PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, check=False, timeout=120)


def summary(done: subprocess.CompletedProcess[str]) -> str:
    """pytest's last line, without its seconds."""
    return re.sub(r" in [\d.]+s.*", "", done.stdout.strip().splitlines()[-1]).strip("= ")


def test_tests_that_pass_alone_are_flaky_and_the_run_is_green(tmp_path: Path) -> None:
    done = run_suite(
        tmp_path,
        """
import os, pytest

@pytest.fixture
def late_port():
    assert not first_time("setup"), "no port"

@pytest.fixture
def left_over():
    yield
    assert not first_time("teardown"), "left over"

@pytest.mark.parametrize("value", ["a b", "x::y[z]"])
def test_call(value):
    with Path(__file__).with_name("processes").open("a") as file:
        print(value, os.getpid(), file=file)
    assert not first_time(f"call-{value}"), "came too late"

def test_setup(late_port):
    pass

def test_teardown(left_over):
    assert not first_time("before-teardown"), "both phases"

def test_good():
    assert first_time("good"), "only failed tests are repeated"
""",
    )
    assert done.returncode == 0, done.stdout
    assert summary(done) == "1 passed, 4 flaky"
    flaky = [line for line in done.stdout.splitlines() if line.startswith("FLAKY ")]
    assert sorted(flaky) == [
        "FLAKY test_suite.py::test_call[a b]",
        "FLAKY test_suite.py::test_call[x::y[z]]",
        "FLAKY test_suite.py::test_setup",
        "FLAKY test_suite.py::test_teardown",
    ]
    for failure in ("came too late", "no port", "both phases", "left over"):
        assert f"AssertionError: {failure}" in done.stdout
    assert "FAILED" not in done.stdout
    assert "ERROR" not in done.stdout
    ran = [line.rpartition(" ") for line in (tmp_path / "processes").read_text().splitlines()]
    assert sorted(value for value, _, _ in ran) == ["a b", "a b", "x::y[z]", "x::y[z]"]
    assert len({process for value, _, process in ran if value == "a b"}) == 2


def test_a_test_that_fails_twice_is_red_beside_a_flaky_one(tmp_path: Path) -> None:
    done = run_suite(
        tmp_path,
        """
import random

def test_flaky():
    assert not first_time("flaky"), "the first time"

def test_wrong():
    assert False, "one" if first_time("wrong") else "two"

def test_seed():
    assert False, f"drew {random.random()}"
""",
    )
    assert done.returncode == 1
    assert summary(done) == "2 failed, 1 flaky"
    assert "FAILED test_suite.py::test_wrong - AssertionError: one" in done.stdout
    assert "AssertionError: two" in done.stdout
    assert "FAILED test_suite.py::test_flaky" not in done.stdout
    assert len(set(re.findall(r"drew [\d.]+", done.stdout))) == 1, "the same seed"


def test_after_ten_failures_the_rest_is_red_without_repetition(tmp_path: Path) -> None:
    done = run_suite(
        tmp_path,
        """
import pytest

@pytest.mark.parametrize("number", range(12))
def test_wrong(number):
    with Path(__file__).with_name("ran").open("a") as file:
        print(number, file=file)
    assert False
""",
    )
    assert done.returncode == 1
    assert summary(done) == "12 failed"
    assert len((tmp_path / "ran").read_text().split()) == 22


CRASH = """
import os

def test_flaky():
    assert not first_time("flaky")

def test_crash():
    if first_time("crash"):
        os._exit(9)
"""
COLLECTION = """
def test_flaky():
    assert not first_time("flaky")

if first_time("one"):
    raise ValueError("cannot be collected")
"""
ONE_FLAKY = """
def test_flaky():
    assert not first_time("flaky")
"""


@pytest.mark.parametrize(
    ("suite", "arguments", "code"),
    [
        pytest.param(CRASH, (), 1, id="worker-crashes"),
        pytest.param(COLLECTION, (), 2, id="collection"),
        pytest.param(ONE_FLAKY, ("-k", "nothing"), 5, id="no-tests"),
        pytest.param(ONE_FLAKY, ("--no-such-option",), 4, id="usage"),
        pytest.param(ONE_FLAKY, ("--maxfail", "1"), 1, id="stopped"),
    ],
)
def test_what_is_no_failure_of_a_test_is_not_repeated(tmp_path: Path, suite: str, arguments: tuple[str, ...], code: int) -> None:
    done = run_suite(tmp_path, suite, *arguments)
    assert done.returncode == code, done.stdout
    assert "repeated once" not in done.stdout
    assert "FLAKY" not in done.stdout


def test_a_green_run_repeats_nothing(tmp_path: Path) -> None:
    done = run_suite(tmp_path, "def test_good():\n    assert first_time('good')\n")
    assert (done.returncode, summary(done)) == (0, "1 passed")
