"""The reading end of the OCSP store: shared memory maps, no lock, no copy but of what is served."""

import mmap
import time
import zlib
from pathlib import Path
from typing import Final, NamedTuple

from pki.ocspd import layout
from pki.ocspd.layout import StoreRecord

_LOOK_EACH: Final = 0.5  # seconds between looks for a new index
_TRIES: Final = 4


class StoreMissing(Exception):
    """There is no store that may be served from: none was written yet, or only before the machine last started."""


class StoreHit(NamedTuple):
    """What a record says, and the one answer that is asked for. Times are seconds since 1970."""

    at: int
    """The number of the slot."""
    word: int
    """What the slot says. The record holds as long as the slot says it."""
    state: int
    version: int
    this_update: int
    next_update: int
    not_after: int
    headers: int
    """How many octets of `part` are HTTP headers, with the empty line; the answer is the rest."""
    part: bytes


class Index:
    """One index file, and the segments that it speaks of, mapped for reading."""

    def __init__(self, folder: Path, name: str) -> None:
        """Raises OSError, StoreMissing."""
        self.folder, self.name = folder, name
        with (folder / name).open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        magic, capacity, boot, complete, _followed = layout.HEADER.unpack_from(self._map)
        whole = layout.HEADER_BYTES + 8 * capacity == len(self._map)
        if magic != layout.MAGIC or boot != layout.boot_id() or not complete or not whole:
            raise StoreMissing("an index of another kind, of another boot, or not whole")
        self.slots = memoryview(self._map)[layout.HEADER_BYTES :].cast("Q")
        self._mask = capacity - 1
        self._segments: dict[int, mmap.mmap] = {}

    @property
    def holds(self) -> bool:
        """Whether this is still the index that is written."""
        return bool(layout.HEADER.unpack_from(self._map)[3])

    @property
    def followed_at(self) -> float:
        """When the publisher last had everything that the database said, in seconds since 1970."""
        return float(layout.HEADER.unpack_from(self._map)[4])

    def look_up(self, key: bytes, *, second: bool) -> StoreHit | None:
        """What the key's record says, with the second or the first of its answers; None for a key that is not there.

        Raises StoreMissing for a record that cannot be read.
        """
        for _ in range(_TRIES):
            found, unread = self._look_up(key, second)
            if found is not None or not unread:
                return found
        raise StoreMissing("a record that cannot be read")

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
        """The number of the key's slot, what it said, and the record. The slot is -1 for a key that is not there.

        A record that cannot be read, as of a segment that was just removed or of bytes that are damaged, is None.
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
        """Lets go of segments whose files are gone."""
        for number in list(self._segments):
            if not layout.segment_path(self.folder, number).exists():
                del self._segments[number]


def _part(segment: mmap.mmap, start: int, at: int, word: int, second: bool) -> StoreHit | None:
    """The record at `start` with one of its answers; None if the bytes do not match their checksums."""
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
    """The store of a folder, as the publisher writes it now."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._index: Index | None = None
        self._looked_at = 0.0

    def index(self) -> Index:
        """The index that holds now. Raises StoreMissing."""
        now = time.monotonic()
        if self._index is None or now - self._looked_at > _LOOK_EACH:
            self._looked_at = now
            self._look()
        if self._index is None:
            raise StoreMissing("no index")
        return self._index

    def look_up(self, key: bytes, *, second: bool) -> tuple[Index, StoreHit | None]:
        """The index that holds now, and what it says of the key, as `Index.look_up`. Raises StoreMissing."""
        index = self.index()
        for _ in range(_TRIES):
            found = index.look_up(key, second=second)
            if found is not None or index.holds:
                return index, found
            # Its successor took over, and its slots are empty now.
            self._look()
            index = self.index()
        raise StoreMissing("the index changes")

    def find(self, key: bytes) -> tuple[Index, int, int, StoreRecord | None]:
        """The index that holds now, and what it says of the key, as `Index.find`. Raises StoreMissing."""
        index = self.index()
        for _ in range(_TRIES):
            at, word, record = index.find(key)
            if at >= 0 or index.holds:
                return index, at, word, record
            # Its successor took over, and its slots are empty now.
            self._look()
            index = self.index()
        raise StoreMissing("the index changes")

    def _look(self) -> None:
        try:
            name = (self.folder / "current").read_text().strip()
            if self._index is None or self._index.name != name:
                self._index = Index(self.folder, name)
        except (OSError, ValueError, StoreMissing):
            # The last one goes on being served: it is right until its answers end.
            return
        self._index.forget_removed()
