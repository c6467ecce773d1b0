"""Writes the OCSP store: one writer at a time, and an older record never replaces a newer one."""

import contextlib
import fcntl
import mmap
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

from pki.ocspd import layout
from pki.ocspd.layout import StoreRecord
from siths_portal.lib import clock
from siths_portal.lib.files.atomic import write_atomically

MINIMUM_SLOTS: Final = 1 << 12
_FULL: Final = 0.6  # of the slots, removed ones included
_FEW: Final = 2000  # live records that are worth moving to free a segment
_SEGMENTS: Final = 4  # the newest, which are left as they are


class StoreLocked(Exception):
    """Another process writes the store."""


class Writer:
    """Writes records and updates slots. If it is killed the store stays consistent, and the next writer continues with it."""

    def __init__(self, folder: Path, *, segment_bytes: int = layout.SEGMENT_BYTES) -> None:
        """Opens the store, or creates one. Raises OSError, StoreLocked."""
        self.folder = folder
        self._segment_bytes = segment_bytes
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = (folder / "lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise StoreLocked(str(folder)) from error
        self._segments: dict[int, mmap.mmap] = {}
        self._live: Counter[int] = Counter()
        self._segment, self._offset = 0, segment_bytes
        self.found = self._open_current()
        if not self.found:
            self._use(self._new_index(MINIMUM_SLOTS), complete=False)
        self._clean()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Releases the store for another writer."""
        self._slots.release()
        self._lock.close()

    def _open_current(self) -> bool:
        """Whether the folder holds a store of this boot whose first load was completed."""
        with contextlib.suppress(OSError, ValueError):
            name = (self.folder / "current").read_text().strip()
            with (self.folder / name).open("r+b") as file:
                self._map = mmap.mmap(file.fileno(), 0)
            magic, capacity, boot, complete, _ = layout.HEADER.unpack_from(self._map)
            whole = len(self._map) == layout.HEADER_BYTES + 8 * capacity
            if magic == layout.MAGIC and boot == layout.boot_id() and complete and whole:
                self._take_up(name, capacity)
                return True
        return False

    def _take_up(self, name: str, capacity: int) -> None:
        self.name, self._mask = name, capacity - 1
        self._slots = memoryview(self._map)[layout.HEADER_BYTES :].cast("Q")
        words = [word for word in self._slots if word != layout.EMPTY]
        self._used = len(words)
        self._live = Counter(word >> 32 for word in words if word != layout.REMOVED)

    def _numbers(self, kind: str) -> list[int]:
        return sorted(int(path.name.rpartition("-")[2]) for path in self.folder.glob(f"{kind}-*[0-9]"))

    def _new_index(self, capacity: int) -> str:
        name = f"index-{max(self._numbers('index'), default=0) + 1:08d}"
        with (self.folder / name).open("xb") as file:
            file.truncate(layout.HEADER_BYTES + 8 * capacity)
            file.write(layout.HEADER.pack(layout.MAGIC, capacity, layout.boot_id(), 0, 0.0))
        return name

    def _use(self, name: str, *, complete: bool) -> None:
        """Makes `name` the index that is written; readers see it if it is complete."""
        with (self.folder / name).open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        self._take_up(name, layout.HEADER.unpack_from(self._map)[1])
        if complete:
            self.finish_load()

    def finish_load(self) -> None:
        """Marks the index as complete for readers."""
        self._map[layout.COMPLETE_AT : layout.COMPLETE_AT + 4] = (1).to_bytes(4, "little")
        write_atomically(self.folder / "current", self.name.encode())

    def followed(self, moment: float) -> None:
        """Records that the store holds everything committed by `moment` (seconds since 1970)."""
        self._map[layout.FOLLOWED_AT : layout.FOLLOWED_AT + 8] = layout.HEADER.pack(b"", 0, b"", 0, moment)[-8:]

    @property
    def count(self) -> int:
        """Returns how many records are live."""
        return sum(self._live.values())

    # --- records ------------------------------------------------------------------------------------------------------------

    def put(self, record: StoreRecord) -> bool:
        """Stores the record unless the store has a newer one for its key. Returns whether it did.

        A higher version is newer. At the same version a response is newer than none, and one with a later thisUpdate is newer,
        unless the stored one is from the future. A signed `unknown` is replaced by all others and by a later one.
        """
        at, old = self._find(record.key)
        if old is not None and not _replaces(record, old):
            return False
        word = self._append(layout.encode(record))
        self._point(at, word)
        return True

    def remove(self, key: bytes) -> None:
        """Removes the key's record."""
        at, old = self._find(key)
        if old is not None:
            self._live[self._slots[at] >> 32] -= 1
            self._slots[at] = layout.REMOVED

    def get(self, key: bytes) -> StoreRecord | None:
        """Returns the key's record."""
        return self._find(key)[1]

    def unknown(self) -> Iterator[StoreRecord]:
        """Yields all records of signed `unknown`, in no order."""
        for word in self._slots:
            if word > layout.REMOVED and (segment := self._mapped(word >> 32)) is not None:
                state = layout.RECORD.unpack_from(segment, word & 0xFFFFFFFF)[layout.STATE]
                if state == layout.UNKNOWN and (record := self._read(word)) is not None:
                    yield record

    def _find(self, key: bytes) -> tuple[int, StoreRecord | None]:
        """Returns the key's slot, or the free slot for it, and its record. An unreadable record also keeps its slot."""
        at, free = layout.first_slot(key, self._mask), -1
        while (word := self._slots[at]) != layout.EMPTY:
            if word == layout.REMOVED:
                free = at if free < 0 else free
            elif (record := self._read(word)) is not None and record.key == key:
                return at, record
            at = (at + 1) & self._mask
        return (at if free < 0 else free), None

    def _read(self, word: int) -> StoreRecord | None:
        segment = self._mapped(word >> 32)
        return layout.decode(segment, word & 0xFFFFFFFF) if segment is not None else None  # type: ignore[arg-type]

    def _mapped(self, number: int) -> mmap.mmap | None:
        if number not in self._segments:
            try:
                with layout.segment_path(self.folder, number).open("r+b") as file:
                    self._segments[number] = mmap.mmap(file.fileno(), 0)
            except (OSError, ValueError):
                return None
        return self._segments[number]

    def _append(self, data: bytes) -> int:
        if self._offset + len(data) > self._segment_bytes:
            self._next_segment()
        segment = self._segments[self._segment]
        segment[self._offset : self._offset + len(data)] = data
        word = layout.slot(self._segment, self._offset)
        self._offset += len(data)
        return word

    def _point(self, at: int, word: int) -> None:
        before = self._slots[at]
        self._slots[at] = word
        self._live[word >> 32] += 1
        if before > layout.REMOVED:
            self._live[before >> 32] -= 1
        elif before == layout.EMPTY:
            self._used += 1
            if self._used > _FULL * (self._mask + 1):
                self.grow(2 * self.count)

    # --- room ---------------------------------------------------------------------------------------------------------------

    def grow(self, records: int) -> None:
        """Makes a new index with space for so many records and switches to it. Changes nothing if there is enough space."""
        capacity = MINIMUM_SLOTS
        while capacity * _FULL <= records:
            capacity *= 2
        if capacity <= self._mask + 1 and self._used <= _FULL * (self._mask + 1):
            return
        _, _, _, complete, followed = layout.HEADER.unpack_from(self._map)
        name = self._new_index(capacity)
        with (self.folder / name).open("r+b") as file:
            grown = mmap.mmap(file.fileno(), 0)
        slots, mask = memoryview(grown)[layout.HEADER_BYTES :].cast("Q"), capacity - 1
        for word in self._slots:
            if word > layout.REMOVED and (record := self._read(word)) is not None:
                at = layout.first_slot(record.key, mask)
                while slots[at]:
                    at = (at + 1) & mask
                slots[at] = word
        slots.release()
        before, old_map, old_slots = self.folder / self.name, self._map, self._slots
        self._use(name, complete=bool(complete))
        self.followed(followed)
        # Readers see that it is no longer current before they miss anything in it; what they cached from its slots is then
        # invalid.
        old_map[layout.COMPLETE_AT : layout.COMPLETE_AT + 4] = bytes(4)
        old_slots.release()
        old_map[layout.HEADER_BYTES :] = bytes(len(old_map) - layout.HEADER_BYTES)
        before.unlink(missing_ok=True)

    def _next_segment(self) -> None:
        number = max(self._numbers("segment"), default=0) + 1
        path = layout.segment_path(self.folder, number)
        with path.open("x+b") as file:
            os.posix_fallocate(file.fileno(), 0, self._segment_bytes)  # reports a full disk here, instead of a memory fault later
            self._segments[number] = mmap.mmap(file.fileno(), 0)
        self._segment, self._offset = number, 0
        self._clean()
        self._free_one()

    def _clean(self) -> None:
        """Removes segments that no slot refers to, and indexes that are not current."""
        # The newest one stays, so that no number is used twice: a reader may still have the earlier segment of that number
        # mapped.
        for number in self._numbers("segment")[:-1]:
            if not self._live[number]:
                self._segments.pop(number, None)
                layout.segment_path(self.folder, number).unlink(missing_ok=True)
        for number in self._numbers("index"):
            name = f"index-{number:08d}"
            if name != self.name:
                (self.folder / name).unlink(missing_ok=True)

    def _free_one(self) -> None:
        """Moves the last live records out of an old segment that has few."""
        old = self._numbers("segment")[:-_SEGMENTS]
        fewest = min(old, key=lambda number: self._live[number], default=0)
        if not fewest or self._live[fewest] > _FEW:
            return
        for at, word in enumerate(self._slots):
            if self._offset > self._segment_bytes // 2:
                return  # the rest next time: records written in the meantime need space
            if word >> 32 == fewest and (record := self._read(word)) is not None:
                self._point(at, self._append(layout.encode(record)))


def _replaces(new: StoreRecord, old: StoreRecord) -> bool:
    if layout.UNKNOWN in (new.state, old.state) and new.state != old.state:
        return old.state == layout.UNKNOWN
    if new.version != old.version:
        return new.version > old.version
    if new.state == layout.PENDING or old.state == layout.PENDING:
        return old.state == layout.PENDING and new.state != layout.PENDING
    if old.this_update > clock.now().timestamp():
        return True
    return new.this_update >= old.this_update and (new.sha1, new.sha256) != (old.sha1, old.sha256)
