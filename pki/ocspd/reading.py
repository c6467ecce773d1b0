"""Reads the OCSP store: shared memory maps, no locks, and only the served response is copied."""

import mmap
import time
import zlib
from pathlib import Path
from typing import Final, NamedTuple

from pki.ocspd import layout
from pki.ocspd.layout import StoreRecord

_LOOK_EACH: Final = 0.5  # seconds between checks for a new index
_TRIES: Final = 4


class StoreMissing(Exception):
    """No usable store exists: none was written yet, or the last one is from before the machine restarted."""


class StoreHit(NamedTuple):
    """A record's fields, and the requested one of its two responses. Times are seconds since 1970."""

    at: int
    """The number of the slot."""
    word: int
    """The slot's value. The record is valid as long as the slot holds it."""
    state: int
    version: int
    this_update: int
    next_update: int
    not_after: int
    headers: int
    """How many octets of `part` are HTTP headers, with the empty line; the rest is the response."""
    part: bytes


class Index:
    """One index file and the segments that it refers to, mapped for reading."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises OSError, StoreMissing."""
        self.folder, self.name = folder, name
        with (folder / name).open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, capacity, boot, complete, _followed = layout.HEADER.unpack_from(self._map)
        whole = layout.HEADER_BYTES + 8 * capacity == len(self._map)
        if magic != layout.MAGIC or boot != layout.boot_id() or not complete or not whole:
            raise StoreMissing("the index has another format, is from another boot, or is incomplete")
        self.slots = memoryview(self._map)[layout.HEADER_BYTES :].cast("Q")
        self._mask = capacity - 1
        self._segments: dict[int, mmap.mmap] = {}

    @property
    def holds(self) -> bool:
        """Whether the publisher still writes this index."""
        return bool(layout.HEADER.unpack_from(self._map)[3])

    @property
    def followed_at(self) -> float:
        """When the store last held everything in the database, in seconds since 1970."""
        return float(layout.HEADER.unpack_from(self._map)[4])

    def look_up(self, key: bytes, *, second: bool) -> StoreHit | None:
        """Returns the key's record with the second or the first of its responses, or None if the store does not have the key.

        Raises StoreMissing if the record cannot be read.
        """
        for _ in range(_TRIES):
            found, unread = self._look_up(key, second)
            if found is not None or not unread:
                return found
        raise StoreMissing("unreadable record")

    def _look_up(self, key: bytes, second: bool) -> tuple[StoreHit | None, bool]:
        slots, mask, unread = self.slots, self._mask, False
        at = layout.first_slot(key, mask)
        while (word := slots[at]) != layout.EMPTY:
            if word != layout.REMOVED:
                segment = self._segments.get(word >> 32) or self._segment(word >> 32)
                start = word & 0xFFFFFFFF
                if segment is None:
                    unread = True
                elif segment[start + layout.RECORD.size : start + layout.HEAD_BYTES] == key:
                    found = _part(segment, start, at, word, second)
                    if found is not None:
                        return found, False
                    unread = True
            at = (at + 1) & mask
        return None, unread

    def find(self, key: bytes) -> tuple[int, int, StoreRecord | None]:
        """Returns the key's slot number (-1 if the store lacks the key), the slot's value, and the record.

        The record is None if it cannot be read, because its segment was just removed or its bytes are damaged.
        """
        for _ in range(_TRIES):
            at, word, record = self._search(key)
            if record is not None or at < 0:
                return at, word, record
        return at, word, record

    def _search(self, key: bytes) -> tuple[int, int, StoreRecord | None]:
        slots, mask = self.slots, self._mask
        at, unread = layout.first_slot(key, mask), -1
        while (word := slots[at]) != layout.EMPTY:
            if word != layout.REMOVED:
                segment = self._segments.get(word >> 32) or self._segment(word >> 32)
                start = (word & 0xFFFFFFFF) + layout.RECORD.size
                if segment is None:
                    unread = at
                elif segment[start : start + layout.KEY_BYTES] == key:
                    record = layout.decode(segment, word & 0xFFFFFFFF)  # type: ignore[arg-type]
                    if record is not None:
                        return at, word, record
                    unread = at
            at = (at + 1) & mask
        return unread, layout.EMPTY, None

    def _segment(self, number: int) -> mmap.mmap | None:
        try:
            with layout.segment_path(self.folder, number).open("rb") as file:
                found = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError):
            return None
        self._segments[number] = found
        return found

    def forget_removed(self) -> None:
        """Unmaps segments whose files are gone."""
        for number in list(self._segments):
            if not layout.segment_path(self.folder, number).exists():
                del self._segments[number]


def _part(segment: mmap.mmap, start: int, at: int, word: int, second: bool) -> StoreHit | None:
    """Returns the record at `start` with one of its responses; None if the bytes do not match their checksums."""
    _, checksum, check1, check2, version, this_update, next_update, not_after, state, _, h1, h2, d1, d2 = (
        layout.RECORD.unpack_from(segment, start)
    )
    begin = start + layout.HEAD_BYTES
    if zlib.crc32(segment[start + layout.CHECKED_FROM : begin]) != checksum:
        return None
    if second:
        begin += h1 + d1
        h1, d1, check1 = h2, d2, check2
    part = segment[begin : begin + h1 + d1]
    if zlib.crc32(part) != check1:
        return None
    return StoreHit(at, word, state, version, this_update, next_update, not_after, h1, part)


class Store:
    """The store in a folder, always by the current index."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index: Index | None = None
        self._looked_at = 0.0

    def index(self) -> Index:
        """Returns the current index. Raises StoreMissing."""
        now = time.monotonic()
        if self._index is None or now - self._looked_at > _LOOK_EACH:
            self._looked_at = now
            self._look()
        if self._index is None:
            raise StoreMissing("no index")
        return self._index

    def look_up(self, key: bytes, *, second: bool) -> tuple[Index, StoreHit | None]:
        """Returns the current index, and its result for the key, as `Index.look_up`. Raises StoreMissing."""
        index = self.index()
        for _ in range(_TRIES):
            found = index.look_up(key, second=second)
            if found is not None or index.holds:
                return index, found
            # A new index has replaced this one, and the slots of this one are empty now.
            self._look()
            index = self.index()
        raise StoreMissing("the index changes")

    def find(self, key: bytes) -> tuple[Index, int, int, StoreRecord | None]:
        """Returns the current index, and its result for the key, as `Index.find`. Raises StoreMissing."""
        index = self.index()
        for _ in range(_TRIES):
            at, word, record = index.find(key)
            if at >= 0 or index.holds:
                return index, at, word, record
            # A new index has replaced this one, and the slots of this one are empty now.
            self._look()
            index = self.index()
        raise StoreMissing("the index changes")

    def _look(self) -> None:
        try:
            name = (self.folder / "current").read_text().strip()
            if self._index is None or self._index.name != name:
                self._index = Index(self.folder, name)
        except (OSError, ValueError, StoreMissing):
            # Keep serving from the last one: it is valid until its responses expire.
            return
        self._index.forget_removed()
