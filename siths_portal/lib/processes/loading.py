"""Faster process starts. Our processes load a thousand modules before they do anything."""

import contextlib
import gc
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Disables garbage collection inside the block, where modules are loaded and no garbage arises.

    Objects loaded in the block are also exempt from later collections (gc.freeze), so that forked processes keep sharing their
    memory.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextlib.contextmanager
def without(name: str) -> Iterator[None]:
    """Inside the block, modules load as if the library `name` were not installed, unless it is already loaded."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # makes `import` raise ModuleNotFoundError
    try:
        yield
    finally:
        del sys.modules[name]
