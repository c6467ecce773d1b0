"""Named points where a test can kill a process, as a power cut would, to prove that repeating the call loses nothing."""

import contextlib
import os
import signal
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

_first: dict[str, Callable[[], AbstractContextManager[object]]] = {}


def die_within(name: str, block: Callable[[], AbstractContextManager[object]]) -> None:
    """Lets a kill of this process wait until it may enter `block`, which keeps out what no kill may cut in two.

    A block replaces an earlier one with the same name.
    """
    _first[name] = block


def point(name: str) -> None:
    """Kills this process with SIGKILL if the folder `SITHS_FAULT_DIR` has a file called `name`.

    It first deletes the file, so that each file kills one process. Without the variable it does nothing; a system check refuses
    the variable when DEBUG is off.
    """
    folder = os.environ.get("SITHS_FAULT_DIR")
    if not folder:
        return
    armed = Path(folder) / name
    try:
        armed.unlink()
    except FileNotFoundError:
        return
    with contextlib.ExitStack() as stack:
        for block in _first.values():
            stack.enter_context(block())
        os.kill(os.getpid(), signal.SIGKILL)
