"""Journals of what was issued, in JOURNAL_DIR: append-only files on another volume than the database.

A process appends to a segment of its own, so processes never share a file. `append` returns when the records are on disk. A
record has a frame of magic bytes, length and CRC-32, so a reader finds the end of what a power cut left complete: it ignores a
torn tail, and raises `JournalDamaged` for a fault that complete records follow.
"""

import base64
import datetime as dt
import fcntl
import json
import os
import secrets
import struct
import threading
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings

from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.files.atomic import sync_folder

log = structlog.get_logger(__name__)

SEGMENT_BYTES = 64 * 1024 * 1024
"""A segment of this size is closed, and the next one begun."""
RECORD_BYTES = 1024 * 1024
"""The largest record. A frame that states more is damaged."""
_MAGIC = b"SJ1\n"
_FRAME = struct.Struct(">4sII")

type Record = Mapping[str, Any]


class JournalDamaged(ValueError):
    """A record does not match its checksum, and complete records follow it: this is no torn tail."""


class _Segment:
    """A file of a journal, as its process appends to it. `broken` after an error: its end may be torn."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{clock.now().astimezone(dt.UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}-{secrets.token_hex(4)}.journal"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        self._file = os.fdopen(descriptor, "ab", buffering=0)
        fcntl.flock(descriptor, fcntl.LOCK_EX)  # until it is closed or the process ends: see `remove_before`
        self.written = self._synced = 0
        self.broken = False
        sync_folder(folder)

    @property
    def is_usable(self) -> bool:
        """Whether records may be appended: no error happened, and nobody has removed the file."""
        return not self.broken and os.fstat(self._file.fileno()).st_nlink > 0

    def write(self, data: bytes) -> int:
        """Appends `data` and returns the length of the file. Raises OSError."""
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError:
            self.broken = True
            raise
        self.written += len(data)
        return self.written

    def sync(self, length: int) -> None:
        """Returns when the first `length` bytes are on disk. Raises OSError."""
        if self._synced >= length:
            return
        if self.broken:
            raise OSError("the journal's segment is broken")
        reached = self.written
        try:
            os.fdatasync(self._file.fileno())
        except OSError:
            # After an error the kernel may forget what it could not write, so a second call would prove nothing.
            self.broken = True
            raise
        self._synced = reached

    def close(self) -> None:
        """Syncs the rest and closes the file. Raises OSError."""
        self.sync(self.written)
        self._file.close()


class _Journal:
    """The segment of this process in one folder. Threads that wait at the same time share an fsync."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writing, self._syncing = threading.Lock(), threading.Lock()
        self._segment: _Segment | None = None

    def append(self, data: bytes) -> None:
        with self._writing:
            segment = self._with_room(len(data))
            length = segment.write(data)
        with self._syncing:
            segment.sync(length)

    def _with_room(self, size: int) -> _Segment:
        segment = self._segment
        if segment is not None and (not segment.is_usable or segment.written + size > SEGMENT_BYTES):
            self._segment = None
            if not segment.broken:
                with self._syncing:
                    segment.close()
        if self._segment is None:
            self._segment = _Segment(self._folder)
        return self._segment


_journals: dict[Path, _Journal] = {}
_opening = threading.Lock()


def _begin_again() -> None:
    global _opening
    _journals.clear()
    _opening = threading.Lock()


# A forked process must not append to its parent's segment.
os.register_at_fork(after_in_child=_begin_again)


def folder(name: str) -> Path:
    """Returns the folder of the journal `name`."""
    return Path(settings.JOURNAL_DIR) / name


@dataclass(frozen=True)
class Volume:
    """Where a journal is: whether this process may write there, the free bytes, and whether `var/` is on the same disk."""

    writable: bool
    free: int = 0
    is_of_var: bool = False


def volume(name: str) -> Volume:
    """Returns the state of the journal's volume. A folder that is not made yet is judged by the one above it."""
    place = folder(name)
    existing = next(path for path in (place, *place.parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Volume(writable=False)
    found = os.statvfs(existing)
    return Volume(True, found.f_bavail * found.f_frsize, existing.stat().st_dev == Path(settings.VAR_DIR).stat().st_dev)


def append(name: str, records: Iterable[Record]) -> None:
    """Appends the records to the journal `name` and returns when they are on disk. Raises OSError.

    After an error the records may be in the journal or not, so a reader must accept what was never carried out.
    """
    data = b"".join(_framed(record) for record in records)
    if not data:
        return
    place = folder(name)
    with _opening:
        journal = _journals.setdefault(place, _Journal(place))
    journal.append(data)


def _framed(record: Record) -> bytes:
    content = canonical_json({"at": clock.now(), **record})
    if len(content) > RECORD_BYTES:
        raise ValueError("the record is too large for the journal")
    return _FRAME.pack(_MAGIC, len(content), zlib.crc32(content)) + content


def packed(content: bytes) -> str:
    """Returns bytes as a record may hold them."""
    return base64.b64encode(content).decode()


def unpacked(text: str) -> bytes:
    """Returns what `packed` was given."""
    return base64.b64decode(text, validate=True)


def segments(name: str, *, since: dt.datetime | None = None) -> Sequence[Path]:
    """Returns the journal's segments in the order in which they were begun, without those last written before `since`."""
    found = sorted(folder(name).glob("*.journal"))
    return [path for path in found if since is None or path.stat().st_mtime >= since.timestamp()]


def remove_before(name: str, moment: dt.datetime) -> list[Path]:
    """Removes the segments that were last written before `moment`, but none that a process may still append to. Returns them."""
    old = set(segments(name)) - set(segments(name, since=moment))
    removed = []
    for path in sorted(old):
        with path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            path.unlink()
            removed.append(path)
    return removed


def read(name: str, *, since: dt.datetime | None = None) -> Iterator[dict[str, Any]]:
    """Yields the records of each segment in the order in which they were appended. Logs and ignores a torn tail.

    Segments of processes that ran at the same time follow each other; `at` of each record says when it was made.

    Raises JournalDamaged, OSError.
    """
    for path in segments(name, since=since):
        yield from _records(path)


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        while True:
            place = file.tell()
            frame = file.read(_FRAME.size)
            if not frame:
                return
            content = _content(frame, file.read(_length(frame)))
            if content is None:
                file.seek(place)
                rest = file.read()
                break
            yield json.loads(content)
    if _goes_on(rest):
        raise JournalDamaged(f"{path}: the record at byte {place} is damaged, and others follow it")
    log.warning("journal.torn_tail", segment=path.name, at=place, size=len(rest))


def _length(frame: bytes) -> int:
    """Returns the length that the frame states; 0 if it is none."""
    if len(frame) < _FRAME.size:
        return 0
    magic, length, _ = _FRAME.unpack(frame)
    return int(length) if magic == _MAGIC and length <= RECORD_BYTES else 0


def _content(frame: bytes, content: bytes) -> bytes | None:
    """Returns the content of a complete record, or None."""
    if not _length(frame) or len(content) != _length(frame):
        return None
    return content if zlib.crc32(content) == _FRAME.unpack(frame)[2] else None


def _goes_on(rest: bytes) -> bool:
    """Returns whether a complete record follows the damaged one with which `rest` begins."""
    place = rest.find(_MAGIC, 1)
    while place >= 0:
        frame, begin = rest[place : place + _FRAME.size], place + _FRAME.size
        if _content(frame, rest[begin : begin + _length(frame)]) is not None:
            return True
        place = rest.find(_MAGIC, place + 1)
    return False
