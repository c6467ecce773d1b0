"""Acts that begin together in threads, each with its own connection to the database."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connection

type Run = Callable[[Callable[[], Any]], list[BaseException]]
"""Calls an act in each of the threads; returns what the calls raised."""


@contextlib.contextmanager
def at_once(count: int) -> Iterator[Run]:
    """Yields a function that runs an act in `count` threads.

    They keep their connections from one call to the next, as a face's do: a new one costs as much as what it is opened for.
    """
    with ThreadPoolExecutor(count) as pool:

        def run(act: Callable[[], Any]) -> list[BaseException]:
            together = threading.Barrier(count)  # which also gives each of the threads one call

            def work() -> None:
                together.wait()
                act()

            calls = [pool.submit(work) for _ in range(count)]
            return [error for call in calls if (error := call.exception())]

        try:
            yield run
        finally:
            run(connection.close)


def run_at_once(count: int, act: Callable[[], Any]) -> list[BaseException]:
    """Runs `act` in threads that begin together; what they raised."""
    with at_once(count) as run:
        return run(act)
