"""One process at a time starts or logs in.

SoftHSM rewrites the token's file in place at each log-in, and a process that starts at that moment finds no token. Starting
workers together would meet that; so each takes a turn, by a lock on the module's own file, which needs no place to lie in.
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
    """Holds this machine's turn. After `TURN_SECONDS` it goes ahead without: a process that hangs must not stop the others."""
    with contextlib.ExitStack() as stack:
        # A module that is not there has no turns; loading it tells so.
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
