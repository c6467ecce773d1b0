"""What makes the start of a process cheap. A process of ours loads a thousand modules before it does anything."""

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Loads modules without the search for garbage, which would look at them again and again and find none.

    What is loaded in here is never searched later either, so that processes that fork keep sharing its memory.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def without(name: str) -> Iterator[None]:
    """Loads modules as if the library `name` were not installed, unless it is loaded already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # so the import system is told that there is none
    try:
        yield
    finally:
        del sys.modules[name]
