"""What the files of the OCSP store hold.

A folder with one index, a few segments, and a list of CAs:

- `current`: the index's file name, replaced whole when a new index takes over.
- `index-<n>`: a header, then a hash table of 64-bit slots. A slot says where a certificate's record lies: segment and offset.
  It is the one thing that is written in place, by one writer, and one aligned word: readers see the old or the new.
- `segment-<n>`: records, appended and never changed.
- `authorities.json`: the CAs that are answered for.
- `wishes/`: what readers ask the publisher for.

A record carries its key and a checksum, so that a reader trusts no slot: what does not match is not served.
"""

import struct
import zlib
from pathlib import Path
from typing import Final, NamedTuple

MAGIC: Final = b"SITHSOCSP0000001"
HEADER_BYTES: Final = 4096
SEGMENT_BYTES: Final = 64 * 1024 * 1024

# Magic, capacity in slots, the boot it was written in, whether the first load is finished, when the database was last followed.
HEADER: Final = struct.Struct("<16sQ36sIxxxxd")
COMPLETE_AT: Final = 16 + 8 + 36
FOLLOWED_AT: Final = COMPLETE_AT + 8

EMPTY: Final = 0
REMOVED: Final = 1

# Length, checksum of the rest; version; thisUpdate, nextUpdate, notAfter in seconds; state; lengths of key and answers.
RECORD: Final = struct.Struct("<IIqqqqBBHHxx")
_AFTER_CHECKSUM: Final = 8

PENDING: Final = 0
"""The certificate's status is another than any stored answer's: nothing is told until the new one is signed."""
ANSWER: Final = 1
UNKNOWN: Final = 2
"""A signed `unknown` for a serial that was never issued. Gives way to everything."""

UNKNOWN_VERSION: Final = -1


class Record(NamedTuple):
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


def encode(record: Record) -> bytes:
    """The record's bytes, a multiple of eight."""
    body = b"".join((record.key, record.sha1, record.sha256))
    length = RECORD.size + len(body)
    padding = -length % 8
    head = RECORD.pack(
        length,
        0,
        record.version,
        record.this_update,
        record.next_update,
        record.not_after,
        record.state,
        len(record.key),
        len(record.sha1),
        len(record.sha256),
    )
    rest = head[_AFTER_CHECKSUM:] + body
    return head[:4] + zlib.crc32(rest).to_bytes(4, "little") + rest + bytes(padding)


def decode(data: bytes, offset: int) -> Record | None:
    """The record at `offset`; None for bytes that are no whole record."""
    if offset + RECORD.size > len(data):
        return None
    length, checksum, version, this_update, next_update, not_after, state, keyed, first, second = RECORD.unpack_from(data, offset)
    end = offset + length
    if length != RECORD.size + keyed + first + second or end > len(data):
        return None
    if zlib.crc32(data[offset + _AFTER_CHECKSUM : end]) != checksum:
        return None
    at = offset + RECORD.size
    sha1 = at + keyed
    sha256 = sha1 + first
    return Record(data[at:sha1], version, state, this_update, next_update, not_after, data[sha1:sha256], data[sha256:end])


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
