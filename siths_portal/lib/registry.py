"""Registries: a package declares what it needs from packages above it, and those register it, so that imports only point down.

`fill_by` names the one function that registers everything. It runs when a registry is first read: the services that it imports
bring much to load, and most commands read no registry (as with `lib.ports`).
"""

import threading
from collections.abc import Callable, Iterator

_fill: Callable[[], None] | None = None
_filling = False
_lock = threading.RLock()


class AlreadyRegistered(RuntimeError):
    """Something is registered under this name already."""


class NotRegistered(RuntimeError):
    """Nothing is registered in a slot."""


class Registry[T]:
    """Named entries, in the order in which they were registered."""

    def __init__(self) -> None:
        self._entries: dict[str, T] = {}

    def register(self, name: str, entry: T) -> None:
        """Adds an entry. Raises AlreadyRegistered if the name is taken."""
        if name in self._entries:
            raise AlreadyRegistered(name)
        self._entries[name] = entry

    def __iter__(self) -> Iterator[T]:
        """Returns the entries, all of them: reading waits until everything is registered."""
        fill()
        return iter(tuple(self._entries.values()))

    def names(self) -> tuple[str, ...]:
        """Returns the names of the entries."""
        fill()
        return tuple(self._entries)


class Slot[T]:
    """A registry with exactly one entry."""

    def __init__(self) -> None:
        self._registry = Registry[T]()

    def register(self, entry: T) -> None:
        """Sets the entry. Raises AlreadyRegistered if there is one."""
        self._registry.register("entry", entry)

    def get(self) -> T:
        """Returns the entry. Raises NotRegistered if there is none."""
        for entry in self._registry:
            return entry
        raise NotRegistered


def fill_by(register_all: Callable[[], None]) -> None:
    """Has `register_all` called, once, when a registry is first read."""
    global _fill
    with _lock:
        _fill = register_all


def fill() -> None:
    """Registers everything, if that is yet to be done. If it fails, each later call raises too: no registry is read half full."""
    global _fill, _filling
    if _fill is None:
        return
    with _lock:
        if _fill is None or _filling:  # filled meanwhile, or called by what is being registered
            return
        _filling = True
        try:
            _fill()
            _fill = None
        finally:
            _filling = False
