"""What the files of the OCSP store hold.

A folder with one index, a few segments, and a list of CAs:

- `current`: the index's file name, replaced whole when a new index takes over.
- `index-<n>`: a header, then a hash table of 64-bit slots. A slot says where a certificate's record lies: segment and offset.
  It is the one thing that is written in place, by one writer, and one aligned word: readers see the old or the new.
- `segment-<n>`: records, appended and never changed.
- `authorities.json`: the CAs that are answered for.
- `wishes/`: what readers ask the publisher for.

A record carries its key and checksums, so that a reader trusts no slot: what does not match is not served. Before each answer
stand the HTTP headers that go with it, so that a reader copies one piece of memory.
"""

import struct
import zlib
from email.utils import formatdate
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

MAGIC: Final = b"SITHSOCSP0000002"
HEADER_BYTES: Final = 4096
SEGMENT_BYTES: Final = 64 * 1024 * 1024

# Magic, capacity in slots, the boot it was written in, whether the first load is finished, when the database was last followed.
HEADER: Final = struct.Struct("<16sQ36sIxxxxd")
COMPLETE_AT: Final = 16 + 8 + 36
FOLLOWED_AT: Final = COMPLETE_AT + 8

EMPTY: Final = 0
REMOVED: Final = 1

# Length; checksums of the rest of this with the key, and of each answer with its headers; version; thisUpdate, nextUpdate,
# notAfter in seconds; state; length of the key; lengths of both answers' headers and of both answers.
RECORD: Final = struct.Struct("<IIIIqqqqBBHHHHxxxxxx")
CHECKED_FROM: Final = 8
STATE: Final = 8
"""Which of RECORD's values says the state."""

PENDING: Final = 0
"""The certificate's status is another than any stored answer's: nothing is told until the new one is signed."""
ANSWER: Final = 1
UNKNOWN: Final = 2
"""A signed `unknown` for a serial that was never issued. Gives way to everything."""

UNKNOWN_VERSION: Final = -1


class StoreRecord(NamedTuple):
    """What is known of one serial. Times are seconds since 1970; answers are empty while `state` is PENDING."""

    key: bytes
    version: int
    state: int
    this_update: int = 0
    next_update: int = 0
    not_after: int = 0
    sha1: bytes = b""
    sha256: bytes = b""


def key(ca_id: int, serial: int) -> bytes:
    """The key of a serial of a CA."""
    return ca_id.to_bytes(4) + serial.to_bytes(20)


KEY_BYTES: Final = 24


HEAD_BYTES: Final = RECORD.size + KEY_BYTES
"""Where the first answer's headers begin in a record."""


def encode(record: StoreRecord) -> bytes:
    """The record's bytes, a multiple of eight."""
    first, second = (headers(der, record.this_update, record.next_update) for der in (record.sha1, record.sha256))
    parts = first + record.sha1, second + record.sha256
    length = HEAD_BYTES + len(parts[0]) + len(parts[1])
    head = RECORD.pack(
        length,
        0,
        zlib.crc32(parts[0]),
        zlib.crc32(parts[1]),
        record.version,
        record.this_update,
        record.next_update,
        record.not_after,
        record.state,
        len(record.key),
        len(first),
        len(second),
        len(record.sha1),
        len(record.sha256),
    )
    rest = head[CHECKED_FROM:] + record.key
    checksum = zlib.crc32(rest).to_bytes(4, "little")
    return b"".join((head[:4], checksum, rest, *parts, bytes(-length % 8)))


def headers(der: bytes, this_update: int, next_update: int) -> bytes:
    """The HTTP headers of an answer that caches may keep, but Cache-Control (RFC 9919 section 6), and the empty line.

    Content-Length is the first. Nothing for no answer.
    """
    if not der:
        return b""
    tag = sha256(der).hexdigest()
    dates = f"Last-Modified: {_date(this_update)}\r\nExpires: {_date(next_update)}\r\n"
    return f'Content-Length: {len(der)}\r\nETag: "{tag}"\r\n{dates}\r\n'.encode()


@lru_cache(4096)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def decode(data: bytes, offset: int) -> StoreRecord | None:
    """The record at `offset`; None for bytes that are no whole record."""
    if offset + RECORD.size > len(data):
        return None
    length, checksum, *checksums, version, this_update, next_update, not_after, state, keyed, h1, h2, d1, d2 = RECORD.unpack_from(
        data, offset
    )
    at, end = offset + HEAD_BYTES, offset + length
    middle = at + h1 + d1
    if keyed != KEY_BYTES or middle + h2 + d2 != end or end > len(data):
        return None
    if zlib.crc32(data[offset + CHECKED_FROM : at]) != checksum:
        return None
    if [zlib.crc32(data[at:middle]), zlib.crc32(data[middle:end])] != checksums:
        return None
    key = data[at - KEY_BYTES : at]
    return StoreRecord(key, version, state, this_update, next_update, not_after, data[at + h1 : middle], data[middle + h2 : end])


def slot(segment: int, offset: int) -> int:
    """The word of a record's place. Segments are numbered from 1, so that it is neither EMPTY nor REMOVED."""
    return segment << 32 | offset


def first_slot(key_bytes: bytes, mask: int) -> int:
    """Where the search for a key begins. Serials are random, or count up; both spread."""
    return zlib.crc32(key_bytes) & mask


def segment_path(folder: Path, number: int) -> Path:
    """The file of a segment."""
    return folder / f"segment-{number:08d}"


def boot_id() -> bytes:
    """Names this run of the machine: files that were written in another may lack what was not yet on disk when it ended."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
