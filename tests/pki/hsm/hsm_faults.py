"""Faults inside the real module: functions of SoftHSM's own table (CK_FUNCTION_LIST) are counted, held up or made to fail.

The table is what python-pkcs11 calls through, and SoftHSM keeps it where it can be written; so the library stays the real one.
"""

import contextlib
import ctypes
import functools
import itertools
import threading
from collections.abc import Callable, Iterator

from django.conf import settings

from pki.hsm.module import module

# Places in CK_FUNCTION_LIST after its version (PKCS #11 2.40 section 3.6), and how many arguments, each a word long.
_FUNCTIONS = {
    "C_Initialize": (0, 1),
    "C_Finalize": (1, 1),
    "C_OpenSession": (12, 5),
    "C_CloseAllSessions": (14, 1),
    "C_Login": (18, 4),
    "C_Logout": (19, 1),
    "C_CopyObject": (21, 5),
    "C_SignInit": (42, 3),
    "C_Sign": (43, 5),
}
_WORD = ctypes.c_ulong


def finalise_behind_the_back() -> None:
    ctypes.CDLL(settings.PKCS11_MODULE).C_Finalize(None)


@contextlib.contextmanager
def intercepted(name: str, around: Callable[[Callable[[], int]], int]) -> Iterator[None]:
    """`around` is called in place of the function, with a partial that calls it; it returns the CK_RV."""
    place, words = _FUNCTIONS[name]
    table = ctypes.c_void_p()
    assert ctypes.CDLL(settings.PKCS11_MODULE).C_GetFunctionList(ctypes.byref(table)) == 0
    slot = _WORD.from_address(table.value + ctypes.sizeof(_WORD) * (1 + place))
    kind = ctypes.CFUNCTYPE(_WORD, *[_WORD] * words)
    address = slot.value
    original = kind(address)
    stand_in = kind(lambda *arguments: around(functools.partial(original, *arguments)))
    slot.value = ctypes.cast(stand_in, ctypes.c_void_p).value
    try:
        yield
    finally:
        slot.value = address
        _kept.append(stand_in)  # a thread may still be in it


_kept: list[object] = []


@contextlib.contextmanager
def argument_of(name: str, place: int) -> Iterator[list[int]]:
    """The values that the function was given at a place, as the calls come."""
    values: list[int] = []

    def around(call: functools.partial[int]) -> int:
        values.append(call.args[place])
        return call()

    with intercepted(name, around):  # type: ignore[arg-type]
        yield values


@contextlib.contextmanager
def counted(name: str) -> Iterator[list[int]]:
    """The results of the function's calls, as they come."""
    results: list[int] = []

    def around(call: Callable[[], int]) -> int:
        results.append(call())
        return results[-1]

    with intercepted(name, around):
        yield results


@contextlib.contextmanager
def hanging(name: str) -> Iterator[threading.Semaphore]:
    """The function's calls do not return until the end. The semaphore counts those that hang."""
    let_go, inside = threading.Event(), threading.Semaphore(0)

    def around(call: Callable[[], int]) -> int:
        inside.release()
        let_go.wait(60)
        return call()

    with intercepted(name, around):
        try:
            yield inside
        finally:
            let_go.set()


def wait_until_nobody_is_lost() -> None:
    """Until threads that were given up have come back, which they do when they are let go."""
    lock = module(settings.PKCS11_MODULE, "auto")._lock
    with lock._condition:
        assert lock._condition.wait_for(lambda: lock.lost == 0 and not lock._stuck, timeout=150)


def nth(number: int, instead: Callable[[Callable[[], int]], int]) -> Callable[[Callable[[], int]], int]:
    """For `intercepted`: `instead` in place of the function's call with this number, counted from 0."""
    numbers = itertools.count()
    return lambda call: instead(call) if next(numbers) == number else call()
