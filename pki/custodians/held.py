"""The shares that this process holds, in memory only.

The PIN is put together at each log-in to the token and kept nowhere in one piece. Python may leave copies of the string behind;
`shield` therefore closes the process's memory to others. Loads no token library, so that every process may ask for its PIN.
"""

import atexit
import ctypes
import resource
import threading
from dataclasses import replace

from django.conf import settings

from pki.domain.pin_shares import Share, combined

_PR_SET_DUMPABLE = 4  # linux/prctl.h
_lock = threading.Lock()
_blocks: dict[str, tuple[Share, bytearray]] = {}


def shield() -> None:
    """Keeps the memory of this process from core dumps and from other processes of its user. Root still reads it.

    Raises OSError if the kernel refuses.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE)")


def hold(one: Share, other: Share) -> None:
    """Holds both shares until the process ends. Raises ShareError if they do not give a PIN; then nothing is held."""
    combined(one, other)
    with _lock:
        _wipe()
        for share in (one, other):
            _blocks[share.half] = replace(share, block=b""), bytearray(share.block)


def is_complete() -> bool:
    """Whether this process holds both shares."""
    with _lock:
        return len(_blocks) == 2


def pin() -> str:
    """Returns the PIN, for one log-in. Raises LookupError if this process does not hold both shares."""
    with _lock:
        if len(_blocks) != 2:
            raise LookupError("this process holds no PIN")
        one, other = (replace(share, block=bytes(block)) for share, block in _blocks.values())
        return combined(one, other)


def has_pin() -> bool:
    """Whether this process can log in to the token: it holds the shares, or has a file with the PIN where that is allowed."""
    return is_complete() if settings.PKI_START_BY_TWO else bool(settings.PKCS11_PIN_FILE)


def waits() -> bool:
    """Whether this process cannot use the token until custodians enter their shares: no fault of the token."""
    return bool(settings.PKI_START_BY_TWO) and not is_complete()


def forget() -> None:
    """Overwrites what is held."""
    with _lock:
        _wipe()


def _wipe() -> None:
    for _share, block in _blocks.values():
        block[:] = bytes(len(block))
    _blocks.clear()


atexit.register(forget)
