"""Celery workers that a test starts and may kill, each with all its processes; nothing of them is left when they have ended."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from django.conf import settings

from siths_portal.dev.progress import HouseError
from tests import superuser
from tests.killing import kill_group
from tests.waiting import wait_for

_NAME = "workers-of-a-test"
_SESSIONS = """
SELECT pid, usename, state, wait_event, (now() - query_start)::text, pg_blocking_pids(pid)::text, left(query, 300)
FROM pg_stat_activity WHERE application_name = %s AND backend_type = 'client backend'
"""


class Workers:
    """Workers of `queues`, each in a session of its own: its children, the scheduler among them, must not outlive the test.

    The queue is emptied before the first, since what earlier tests left there would all be done first, and after the last.
    """

    def __init__(self, folder: Path, queues: str = "pki,default", **variables: str) -> None:
        self._folder, self._queues = folder, queues
        # The name is what the database knows their sessions by.
        self._variables = {"PKI_STATUS_DIR": str(settings.PKI_STATUS_DIR), "PGAPPNAME": _NAME} | variables
        self._begun: list[subprocess.Popen[bytes]] = []
        forget_messages()

    def start(self, *options: str) -> "subprocess.Popen[bytes]":
        """Starts one; `-B` has the scheduler in it."""
        command = [sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker", "-Q", self._queues, *options]
        with self._log(len(self._begun)).open("wb") as log:
            process = subprocess.Popen(command, env=os.environ | self._variables, stdout=log, stderr=log, start_new_session=True)
        self._begun.append(process)
        return process

    def wait_for(self, ready: Callable[[], bool], what: str, *, seconds: float = 150) -> None:
        """As `waiting.wait_for`, while the worker lives that was started last; tells what it wrote if it is in vain."""
        try:
            wait_for(ready, what, seconds=seconds, alive=self._lives)
        except HouseError as late:
            raise AssertionError(f"{late}; the worker wrote: {self._said()}") from late

    def kill(self, *workers: "subprocess.Popen[bytes]") -> None:
        """Kills them with all their processes, and waits until the database has ended what they had begun.

        A statement that was sent goes on without who sent it, and a commit among them would count between two looks of the test,
        or in the next test's tables.
        """
        for worker in workers:
            kill_group(worker.pid)
            worker.wait(60)
        try:
            wait_for(lambda: not sessions())
        except HouseError as late:
            raise AssertionError(f"still at work: {sessions()}") from late

    def tell_to_end(self) -> None:
        """Lets each end its work."""
        for process in self._begun:
            if process.poll() is None:
                process.terminate()
                process.wait(150)

    def end(self) -> None:
        """Kills all that there are."""
        self.kill(*self._begun)
        forget_messages()

    def _log(self, number: int) -> Path:
        return self._folder / f"worker-{number}.log"

    def _said(self) -> str:
        return self._log(len(self._begun) - 1).read_text(errors="replace")[-3000:]

    def _lives(self) -> None:
        assert self._begun[-1].poll() is None, self._said()


def sessions(condition: str = "TRUE") -> list[tuple[Any, ...]]:
    """What the sessions of workers do, or did last, and whom they wait for."""
    with superuser.cursor("waiting") as cursor:
        cursor.execute(f"{_SESSIONS} AND {condition}", [_NAME])
        return cursor.fetchall()


def forget_messages() -> None:
    """Empties the queues."""
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
