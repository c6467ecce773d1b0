"""Kills of processes that use a token, at a moment at which none of them logs in.

SoftHSM rewrites a token's file in place at each login. A kill during the write cuts the file off, and all later tests of this
process lack the token. Logins take turns (`pki.hsm.process_lock`), so a kill takes a turn as well.
"""

import contextlib
import os
import signal
from collections.abc import Iterator

from django.conf import settings

from pki.hsm.process_lock import turn


@contextlib.contextmanager
def between_logins() -> Iterator[None]:
    """Keeps every process of this machine from starting a login inside the block."""
    with turn(settings.PKCS11_MODULE):
        yield


def kill_group(pid: int) -> None:
    """Kills a process with all processes of its group. Does nothing if the group has ended."""
    with between_logins(), contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)
