"""Registries: entries that packages register when the process starts, and that a package below them reads."""

from collections.abc import Callable, Iterator
from typing import Any


class Registry[Entry]:
    """Entries in the order of `order`, and of registration where that is equal. `key` identifies an entry.

    A package registers its entries when its module is imported or its app is ready, never while a request runs.
    """

    def __init__(self, *, key: Callable[[Entry], Any], order: Callable[[Entry], Any] = lambda _entry: 0) -> None:
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
        """Yields the entries in their order."""
        return iter(sorted(self._entries.values(), key=self._order))
