"""Work in a process that dies at a named point, as a worker's does when its power is cut."""

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from pathlib import Path

import psycopg2
from django.db import connections

from tests.waiting import wait_for


def forked(work: Callable[[], object], armed: Path | None = None) -> int | None:
    """The exit code of `work` in a forked process, in which the points in the folder `armed` kill."""
    process = _started(work, armed)
    process.join()
    until_gone(f"forked-{process.pid}")
    return process.exitcode


@contextlib.contextmanager
def working(work: Callable[[], object]) -> Iterator[ForkProcess]:
    """A forked process that does `work` meanwhile. If it still works at the end of the block, it is killed there."""
    process = _started(work, None)
    try:
        yield process
    finally:
        process.kill()
        process.join()
        until_gone(f"forked-{process.pid}")


def _started(work: Callable[[], object], armed: Path | None) -> ForkProcess:
    connections.close_all()  # a child must not inherit them

    def child() -> None:
        os.environ["PGAPPNAME"] = f"forked-{os.getpid()}"
        if armed is not None:
            os.environ["SITHS_FAULT_DIR"] = str(armed)
        work()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    return process


def until_gone(name: str) -> None:
    """Until the database has noticed that the process whose PGAPPNAME was `name` is dead: till then its locks hold."""
    host = connections["default"].settings_dict["OPTIONS"]["host"]
    with contextlib.closing(psycopg2.connect(dbname="postgres", user="postgres", host=host)) as opened:
        opened.autocommit = True

        def gone() -> bool:
            with opened.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE application_name = %s", [name])
                return cursor.fetchone() == (0,)

        wait_for(gone)
