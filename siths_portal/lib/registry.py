"""Registries: a lower package declares a registry and higher packages register entries, so that imports only point downwards.

`fill_by` sets a function that registers entries that are expensive to load. It runs when a registry is first read, since most
commands read none (as with `lib.ports`). Packages register cheap entries, such as tabs of pages, at import.
"""

import threading
from collections.abc import Callable, Iterator
from typing import Any

_fill: Callable[[], None] | None = None
_filling = False
_lock = threading.RLock()


class Registry[Entry]:
    """Entries sorted by `order`, then by registration.

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
        """Adds entries. Raises ValueError if an entry's key is already registered."""
        for entry in entries:
            key = self._key(entry)
            if key in self._entries:
                raise ValueError(f"already registered: {key!r}")
            self._entries[key] = entry

    def __iter__(self) -> Iterator[Entry]:
        """Returns the entries in order, after calling `fill`."""
        fill()
        return iter(sorted(self._entries.values(), key=self._order))


class Slot[Entry]:
    """A registry with exactly one entry."""

    def __init__(self) -> None:
        self._registry = Registry[Entry](key=lambda _entry: "the entry of a slot")

    def register(self, entry: Entry) -> None:
        """Sets the entry. Raises ValueError if an entry is set."""
        self._registry.register(entry)

    def get(self) -> Entry:
        """Returns the entry. Raises LookupError if none is set."""
        for entry in self._registry:
            return entry
        raise LookupError("nothing is registered")


def fill_by(register_all: Callable[[], None]) -> None:
    """Sets the function that `fill` calls once, when a registry is first read."""
    global _fill
    with _lock:
        _fill = register_all


def fill() -> None:
    """Calls the function of `fill_by` if it has not run. If it fails, each later call raises too, so no registry is half full."""
    global _fill, _filling
    if _fill is None:
        return
    with _lock:
        if _fill is None or _filling:  # another thread has filled it, or the function itself reads a registry
            return
        _filling = True
        try:
            _fill()
            _fill = None
        finally:
            _filling = False
