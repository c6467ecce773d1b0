"""Lets only one process at a time start or log in.

SoftHSM rewrites the token's file in place at each login, and a process that starts at that moment finds no token. Workers that
start together would run into this; so each waits for its turn, with a lock on the module's own file, which needs no extra lock
file.
"""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from pki.hsm.calls import lent

TURN_SECONDS = 10.0
_POLL_SECONDS = 0.005


@contextlib.contextmanager
def turn(module_path: str) -> Iterator[None]:
    """Holds this machine's turn. Continues without it after `TURN_SECONDS`: a hanging process must not stop the others."""
    with contextlib.ExitStack() as stack:
        # A missing module needs no turns; loading it raises the error.
        with contextlib.suppress(FileNotFoundError):
            file = Path(module_path).open("rb")  # noqa: SIM115  (closed by what follows)
            stack.enter_context(lent(file.close))
            deadline = time.monotonic() + TURN_SECONDS
            while not _taken(file.fileno()) and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
        yield


def _taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
