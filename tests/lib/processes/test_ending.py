"""A process that is told to end, at any moment of its waiting."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from siths_portal.lib.processes.ending import Ending

SIGNALS = (signal.SIGTERM, signal.SIGINT)


@pytest.fixture
def ending() -> Iterator[Ending]:
    before = {number: signal.getsignal(number) for number in SIGNALS}
    wakeup = signal.set_wakeup_fd(-1)
    yield Ending()
    signal.set_wakeup_fd(wakeup)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_the_waiting_and_is_remembered(ending: Ending, number: int) -> None:
    assert not ending.wait(0.01)
    threading.Timer(0.05, os.kill, (os.getpid(), number)).start()
    assert ending.wait()
    assert ending.wait(60)


SENDER = """
import os, sys, time
for _ in range(1000):
    os.kill(int(sys.argv[1]), 15)
    time.sleep(0.0001)
"""


def test_signals_at_any_moment_lock_nothing(ending: Ending) -> None:
    # From another process, so that they also come while this thread is inside `wait`: an Event's handler would wait there for a
    # lock that its own thread holds.
    with subprocess.Popen([sys.executable, "-I", "-S", "-c", SENDER, str(os.getpid())]) as sender:
        while sender.poll() is None:
            ending.wait(0)
    assert ending.wait(0)


def test_more_signals_than_a_pipe_holds(ending: Ending) -> None:
    for _ in range(70_000):
        ending.tell()
    assert ending.wait(0)


def test_a_signal_is_seen_before_its_handler_has_run(ending: Ending) -> None:
    for number in SIGNALS:
        signal.signal(number, lambda _signal, _frame: None)  # as one that runs after the waiting
    assert not ending.wait(0)
    os.kill(os.getpid(), signal.SIGTERM)
    assert ending.wait(60)
