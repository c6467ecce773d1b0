"""The file format of the OCSP store.

A folder with one index, a few segments, and a list of CAs:

- `current`: the index's file name, replaced atomically when a new index takes over.
- `index-<n>`: a header, then a hash table of 64-bit slots. A slot holds the place of a certificate's record: segment and offset.
  Only slots are written in place. Each is one aligned word with one writer, so readers see the old or the new value.
- `segment-<n>`: records, appended and never changed.
- `authorities.json`: the CAs that the responder answers for.
- `wishes/`: the readers' requests to the publisher.

A record includes its key and checksums, so a reader does not trust slots and serves no record that does not match. The HTTP
headers of each response precede it, so a reader copies one piece of memory.
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

# Magic, capacity in slots, id of the boot, whether the first load is complete, when the store last held all of the database.
HEADER: Final = struct.Struct("<16sQ36sIxxxxd")
COMPLETE_AT: Final = 16 + 8 + 36
FOLLOWED_AT: Final = COMPLETE_AT + 8

EMPTY: Final = 0
REMOVED: Final = 1

# Length; checksums of the rest of this with the key, and of each response with its headers; version; thisUpdate, nextUpdate,
# notAfter in seconds; state; length of the key; lengths of both responses' headers and of both responses.
RECORD: Final = struct.Struct("<IIIIqqqqBBHHHHxxxxxx")
CHECKED_FROM: Final = 8
STATE: Final = 8
"""Index of the state among RECORD's values."""

PENDING: Final = 0
"""No stored response has the certificate's current status: nothing is served until a new response is signed."""
ANSWER: Final = 1
UNKNOWN: Final = 2
"""A signed `unknown` for a serial that was never issued. Any other record replaces it."""

UNKNOWN_VERSION: Final = -1


class StoreRecord(NamedTuple):
    """The status and responses of one serial. Times are seconds since 1970; responses are empty while `state` is PENDING."""

    key: bytes
    version: int
    state: int
    this_update: int = 0
    next_update: int = 0
    not_after: int = 0
    sha1: bytes = b""
    sha256: bytes = b""


def key(ca_id: int, serial: int) -> bytes:
    """Returns the store's key for a serial of a CA."""
    return ca_id.to_bytes(4) + serial.to_bytes(20)


KEY_BYTES: Final = 24


HEAD_BYTES: Final = RECORD.size + KEY_BYTES
"""Offset of the first response's headers in a record."""


def encode(record: StoreRecord) -> bytes:
    """Returns the record's bytes, padded to a multiple of eight."""
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
    """Returns the HTTP headers of a cacheable response, except Cache-Control (RFC 9919 section 6), and the empty line.

    Content-Length is the first. Returns b"" for an empty response.
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
    """Returns the record at `offset`, or None if there is no complete record."""
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
    """Returns the slot value for a record's place. Segments count from 1, so it is neither EMPTY nor REMOVED."""
    return segment << 32 | offset


def first_slot(key_bytes: bytes, mask: int) -> int:
    """Returns the slot where the search for a key begins. Serials are random or consecutive; both spread well."""
    return zlib.crc32(key_bytes) & mask


def segment_path(folder: Path, number: int) -> Path:
    """Returns the path of a segment."""
    return folder / f"segment-{number:08d}"


def boot_id() -> bytes:
    """Returns the id of this boot. Files from an earlier boot may lack what was not on disk when the machine stopped."""
    return Path("/proc/sys/kernel/random/boot_id").read_bytes().strip()
