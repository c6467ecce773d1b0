"""The `pki` worker of tests that need one: the first starts it, and the next test of the file has the same if it asks for it too.

A folder's conftest imports `pki_worker`, `worker`, `start_worker` and the hook. Between two tests the worker stands still: it has
taken and ended all that was queued before the tables are emptied. A worker of a test's own environment ends with the test.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from tests.waiting import wait_for

__all__ = ["pki_worker", "pytest_runtest_teardown", "rests_soon", "start_worker", "worker"]
QUEUE = "pki"
SECONDS_TO_REST = 30
_KEEPER = pytest.StashKey["PkiWorker"]()


class PkiWorker:
    """One worker at a time, and its log."""

    def __init__(self, folder: Path) -> None:
        self.log = folder / "worker.log"
        self._process: Any = None
        self._stack = contextlib.ExitStack()
        self._shared = False
        self._left: set[bytes] = set()

    def start(self, **env: str) -> Path:
        """Starts one in place of the one before; it ends with the test. Returns its log."""
        from tests.issuance.suppliers.api.stage import process

        self.end()
        self.log.unlink(missing_ok=True)
        self._left = _in_hand()
        command = [
            sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker", "-Q", QUEUE, "-P", "threads", "-c", "4",
            "--without-gossip", "--without-mingle", "--loglevel", "INFO",
        ]  # fmt: skip
        self._process = self._stack.enter_context(process(command, self.log, **env))
        wait_for(lambda: " ready." in self.log.read_text(), "the worker", alive=self._lives)
        return self.log

    def _lives(self) -> None:
        assert self.runs, self.log.read_text()[-2000:]

    def share(self) -> Path:
        """The worker of the test before, or a new one, which the next test may have. Returns its log."""
        if not self.runs:
            self.start()
            self._shared = True
        return self.log

    @property
    def runs(self) -> bool:
        """Whether there is a worker that lives."""
        return self._process is not None and self._process.poll() is None

    def end(self) -> None:
        """Ends it, if there is one."""
        self._stack.close()
        self._process, self._shared = None, False

    def rests(self) -> bool:
        """Waits until a shared worker has done all that was queued. False if it does not, or nobody knows."""
        try:
            return self._comes_to_rest()
        except (RedisError, OperationalError):  # an earlier test's outage has cut the connection that is asked over
            return False

    def _comes_to_rest(self) -> bool:
        deadline = time.monotonic() + SECONDS_TO_REST
        while self._shared and self.runs and time.monotonic() < deadline:
            if is_idle(self._left):
                return True
            time.sleep(0.05)
        return False


def rests_soon() -> bool:
    """Whether the worker is idle. False if an earlier test's outage has cut the connection: the next question opens another."""
    try:
        return is_idle(set())
    except (RedisError, OperationalError):
        return False


def is_idle(left: set[bytes]) -> bool:
    """Whether the worker that runs has done all that was queued, but for what lay in the hands of workers that were killed."""
    from celery import current_app

    # One thread of the worker takes messages and answers: after two answers it has read what was sent before.
    heard = [current_app.control.broadcast("ping", reply=True, limit=1, timeout=10) for _ in range(2)]
    return all(heard) and not _queued() and not _in_hand() - left


def _queued() -> int:
    from celery import current_app

    with current_app.connection_for_read() as connection:
        return int(connection.default_channel.client.llen(QUEUE))


def _in_hand() -> set[bytes]:
    """The messages that workers took and have not acknowledged, which they do last; those of killed workers lie there too."""
    from celery import current_app

    with current_app.connection_for_read() as connection:
        return set(connection.default_channel.client.hkeys("unacked"))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Ends the worker before the tables are emptied, unless it rests and the next test of the file takes it."""
    keeper = item.session.stash.get(_KEEPER, None)
    if keeper is not None:
        taken = nextitem is not None and nextitem.path == item.path and "worker" in getattr(nextitem, "fixturenames", ())
        if not (taken and keeper.rests()):
            keeper.end()
    return (yield)


@pytest.fixture(scope="session")
def pki_worker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PkiWorker]:
    """Whoever keeps the worker of this process's tests."""
    keeper = request.session.stash.setdefault(_KEEPER, PkiWorker(tmp_path_factory.mktemp("pki-worker")))  # one for all folders
    yield keeper
    keeper.end()


@pytest.fixture
def start_worker(pki_worker: PkiWorker, demo_pki: Any) -> Callable[..., Path]:
    """Starts the `pki` worker, which alone signs and opens secrets, in place of the one before; ended after the test."""
    return pki_worker.start


@pytest.fixture
def worker(pki_worker: PkiWorker, demo_pki: Any) -> Path:
    """A running `pki` worker over the demo's hierarchy; its log."""
    return pki_worker.share()
