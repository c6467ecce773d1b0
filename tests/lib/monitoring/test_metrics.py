"""Numbers of several processes, added up and served by a process of its own."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from django.conf import settings

from siths_portal.lib.monitoring import metrics

COUNT = """
import sys
from siths_portal.lib.monitoring import metrics
counter = metrics.counter("things", "Things", ["kind"])
gauge = metrics.gauge("now", "Now", ["kind"], mode="livesum")
took = metrics.histogram("took_seconds", "Took", ["kind"], buckets=(0.1, 1))
counter.labels("a").inc(int(sys.argv[1]))
gauge.labels("a").set(int(sys.argv[1]))
took.labels("a").observe(int(sys.argv[1]) / 10)
print("counted", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    return os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path / "metrics"), "PYTHONPATH": str(settings.BASE_DIR)}


def counting(number: int, environment: dict[str, str]) -> "subprocess.Popen[str]":
    """A process that has counted `number` things and lives on."""
    command = [sys.executable, "-c", COUNT, str(number)]
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "counted\n"
    return process


def end(process: "subprocess.Popen[str]") -> None:
    process.communicate()
    assert process.returncode == 0


def serve(environment: dict[str, str], bind: str = "127.0.0.1:0") -> "subprocess.Popen[str]":
    command = [sys.executable, "manage.py", "metrics", "--bind", bind]
    return subprocess.Popen(
        command, env=environment, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def value(text: str, sample: str) -> float | None:
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.M)
    return float(found[1]) if found else None


def test_numbers_of_all_processes_are_added_up_and_the_dead_have_no_present(environment):
    first, second = counting(2, environment), counting(3, environment)
    server = serve(environment)
    try:
        assert server.stdout is not None
        address = re.search(r"http://\S+", server.stdout.readline())
        assert address
        text = requests.get(address[0], timeout=60).text
        assert value(text, 'things_total{kind="a"}') == 5
        assert value(text, 'now{kind="a"}') == 5
        folder = Path(environment["PROMETHEUS_MULTIPROC_DIR"])
        assert metrics.bucket_counts(folder, {"took_seconds": "kind"}) == {("took_seconds", "a"): [0, 2, 2]}
        end(first)
        text = requests.get(address[0], timeout=60).text
        assert value(text, 'things_total{kind="a"}') == 5
        assert value(text, 'now{kind="a"}') == 3
    finally:
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=120)
        end(second)
    assert server.returncode == 0


def test_files_of_the_dead_are_removed_at_the_start(environment):
    alive, dead = counting(2, environment), counting(3, environment)
    end(dead)
    folder = Path(environment["PROMETHEUS_MULTIPROC_DIR"])
    assert len(list(folder.glob(f"*_{dead.pid}.db"))) == metrics.forget_the_dead(folder) > 0
    assert list(folder.glob(f"*_{alive.pid}.db"))
    assert not list(folder.glob(f"*_{dead.pid}.db"))
    end(alive)


@pytest.mark.parametrize(
    ("bind", "folder", "told"), [("nowhere", True, "VÄRD:PORT"), ("127.0.0.1:0", False, "PROMETHEUS_MULTIPROC_DIR")]
)
def test_wrong_use_is_told(environment, bind, folder, told):
    server = serve(environment if folder else environment | {"PROMETHEUS_MULTIPROC_DIR": ""}, bind)
    _, text = server.communicate(timeout=120)
    assert server.returncode == 2
    assert told in text
