"""Work in a process that dies at a named point, as a worker's does when its power is cut."""

import multiprocessing
import os
from collections.abc import Callable
from pathlib import Path

from django.db import connections


def forked(work: Callable[[], object], armed: Path | None = None) -> int | None:
    """The exit code of `work` in a forked process, in which the points in the folder `armed` kill."""
    connections.close_all()  # a child must not inherit them

    def child() -> None:
        if armed is not None:
            os.environ["SITHS_FAULT_DIR"] = str(armed)
        work()

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join()
    return process.exitcode
