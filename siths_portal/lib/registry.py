"""Registries: a package declares what it reads from packages above it, and those register it, so that imports only point down.

`fill_by` names a function that registers what is expensive to load. It runs when a registry is first read: most commands read
none (as with `lib.ports`). What is cheap, as the tabs of pages, packages register when their module is imported.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

_fill: Callable[[], None] | None = None
_filling = False
_lock = threading.RLock()


class Registry[Entry]:
    """Entries in the order of `order`, and of registration where that is equal.

    `key` identifies an entry, by default the entry itself. Entries are registered when a process starts or a registry is first
    read, never later.
    """

    def __init__(
        self, *, key: Callable[[Entry], Any] = lambda entry: entry, order: Callable[[Entry], Any] = lambda _entry: 0
    ) -> None:
        self._key = key
        self._order = order
        self._entries: dict[Any, Entry] = {}

    def register(self, *entries: Entry) -> None:
        """Adds entries. Raises ValueError if an entry has a key that is registered already."""
        for entry in entries:
            key = self._key(entry)
            if key in self._entries:
                raise ValueError(f"already registered: {key!r}")
            self._entries[key] = entry

    def __iter__(self) -> Iterator[Entry]:
        """Returns the entries in their order; whatever is still to be registered is registered first."""
        fill()
        return iter(sorted(self._entries.values(), key=self._order))


class Slot[Entry]:
    """A registry with exactly one entry."""

    def __init__(self) -> None:
        self._registry = Registry[Entry](key=lambda _entry: "the entry of a slot")

    def register(self, entry: Entry) -> None:
        """Sets the entry. Raises ValueError if there is one."""
        self._registry.register(entry)

    def get(self) -> Entry:
        """Returns the entry. Raises LookupError if there is none."""
        for entry in self._registry:
            return entry
        raise LookupError("nothing is registered")


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
