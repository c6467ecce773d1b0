"""CRL entries straight from PostgreSQL: rows by COPY in binary format, a few at a time, so no CRL is ever whole in memory."""

import datetime as dt
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from django.db import connection

from pki.domain import crl, crl_reasons, crl_shards, der

# PGCOPY, flags and an empty extension; then one row per message; then the count -1.
_PREAMBLE = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
# Column count; length and microseconds since 2000; length and reason; length of the serial, which follows.
_ROW = struct.Struct(">hiqihi")
_FIXED = _ROW.size
_SINCE_1970 = 946_684_800  # seconds from 1970 to PostgreSQL's epoch
_NULL = b"\xff\xff\xff\xff"
_DAY = 86_400
_BATCH = 2_000

# Serials in the order of the index that has all columns. CASE turns the reason into its code in the entries.
_ROWS = """
COPY (
  SELECT revoked_at, (CASE reason {codes} END)::smallint, decode(serial, 'hex'), invalidity_date
  FROM pki_certificate
  WHERE ca_id = %(ca)s AND status = 'revoked' {shard} {kept}
  ORDER BY right(serial, 2), serial
) TO STDOUT (FORMAT binary)
"""
_CODES = " ".join(f"WHEN '{name}' THEN {code}" for name, code in crl_reasons.NUMBERS.items())
_SHARD = "AND right(serial, 2) = ANY(%(endings)s)"
_KEPT = "AND (not_after >= %(since)s OR status_version > %(version)s)"


@dataclass(frozen=True)
class Kept:
    """The revoked certificates to list: those with notAfter at or after `since`, and those that changed after `version`."""

    since: dt.datetime
    version: int


@dataclass(frozen=True)
class Written:
    """The number of entries, and their total length in octets."""

    count: int
    size: int


def write(file: BinaryIO, *, ca_id: int, shard: int | None, shards: int, kept: Kept | None) -> Written:
    """Appends to `file` an entry for each revoked certificate of the CA, or of one of its shards, that the CRL must have.

    Writes all if `kept` is None. One statement, so one snapshot. Raises OSError, and ValueError for a row that has no entry.
    """
    statement = _ROWS.format(codes=_CODES, shard="" if shard is None else _SHARD, kept="" if kept is None else _KEPT)
    values: dict[str, object] = {"ca": ca_id}
    if shard is not None:
        values["endings"] = crl_shards.endings(shard, shards)
    if kept is not None:
        values |= {"since": kept.since, "version": kept.version}
    entries = _Entries(file)
    with connection.cursor() as cursor:
        cursor.copy_expert(cursor.mogrify(statement, values).decode(), entries)
    return entries.end()


class _Entries:
    """The file object that psycopg2 writes COPY messages to. `write` is a closure, because a CRL has a million rows."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._size = self._count = 0
        self._parts: list[bytes] = []
        self.write = self._writer()

    def _writer(self) -> Callable[[bytes], None]:
        parts, flush, unpack = self._parts, self._flush, _ROW.unpack_from
        days: dict[int, bytes] = {}
        minutes = [f"{minute // 60:02}{minute % 60:02}".encode() for minute in range(1440)]
        seconds = [f"{second:02}Z".encode() for second in range(60)]
        heads = {code: _heads(code) for code in crl_reasons.NUMBERS.values()}
        tails = {code: crl.entry_extensions(code, None) for code in crl_reasons.NUMBERS.values()}
        begun = False

        def add(message: bytes) -> None:
            nonlocal begun
            if not begun:
                begun = True
                message = message[len(_PREAMBLE) :]
            if message == _END:
                return
            _columns, _eight, micros, _two, code, length = unpack(message)
            end = _FIXED + length
            moment = micros // 1_000_000 + _SINCE_1970
            day, second = divmod(moment, _DAY)
            start = days.get(day)
            if start is None:
                start = days[day] = _start_of(day)
            if start and message[end:] == _NULL and length <= crl.LONGEST_SERIAL and message[_FIXED]:
                head = heads[code][2 * length + (message[_FIXED] >> 7)]
                parts.append(head + message[_FIXED:end] + start + minutes[second // 60] + seconds[second % 60] + tails[code])
            else:
                parts.append(crl.entry(message[_FIXED:end], moment, code, _moment(message[end:])))
            if len(parts) >= _BATCH:
                flush()

        return add

    def _flush(self) -> None:
        self._count += len(self._parts)
        self._size += self._file.write(b"".join(self._parts))
        self._parts.clear()

    def end(self) -> Written:
        """Writes the rest."""
        self._flush()
        return Written(self._count, self._size)


def _heads(code: int) -> list[bytes]:
    """The octets before the serial in entries with this reason and a UTCTime, at 2 * length, plus 1 if it needs a zero octet."""
    found = [b"", b""]
    for length in range(1, crl.LONGEST_SERIAL + 1):
        for padding in (b"", b"\0"):
            integer = bytes((0x02, length + len(padding))) + padding
            content = len(integer) + length + 15 + len(crl.entry_extensions(code, None))
            found.append(bytes((der.SEQUENCE, content)) + integer)
    return found


def _start_of(day: int) -> bytes:
    """UTCTime of a day up to the hour; empty if UTCTime cannot express it."""
    midnight = der.time(day * _DAY)
    return midnight[:8] if midnight[0] == der.UTC_TIME else b""


def _moment(column: bytes) -> int | None:
    if column == _NULL:
        return None
    return int.from_bytes(column[4:], signed=True) // 1_000_000 + _SINCE_1970
