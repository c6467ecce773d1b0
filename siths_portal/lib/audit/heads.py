"""Signed statements of the newest seals of the audit chains, one line each in a file outside the database.

A statement has a number, the hash of the previous line, the time and the newest seal of each application. A key of the token
with no other use signs it, so anybody with the file and the public key next to it can verify it without token and database.
A line that a power cut truncated is skipped, because the next line refers to the line before it.
"""

import base64
import binascii
import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from django.db import connection

from siths_portal.lib import clock
from siths_portal.lib.audit import anchors
from siths_portal.lib.audit.keys import AuditKeys, KeyUnknown
from siths_portal.lib.canonical import canonical_json
from siths_portal.lib.files.atomic import write_atomically

FIRST = "0" * 64
_DOMAIN = b"siths-portal audit head 1\x00"
_FILE = "heads.jsonl"


@dataclass(frozen=True)
class Head:
    """The newest seal of an application's chain."""

    seq: int
    digest: bytes


@dataclass(frozen=True)
class Statement:
    """A line of the file. `sha256` is the hash of the line's bytes; the next statement has it as `previous`."""

    number: int
    previous: str
    at: dt.datetime
    database: str
    heads: Mapping[str, Head]
    sha256: str
    key_id: str = ""
    signed: bytes = field(default=b"", repr=False)
    signature: bytes = field(default=b"", repr=False)


@dataclass(frozen=True)
class Mark:
    """The newest seal of one application's chain in the statement `number`, made at `at`."""

    seq: int
    digest: bytes
    number: int
    at: dt.datetime


@dataclass(frozen=True)
class Report:
    """The result of `examine`: the number of statements, the last good one, and the first fault in Swedish, or ""."""

    count: int
    last: Statement | None
    fault: str = ""


def parse(line: bytes) -> Statement | None:
    """Parses a line without its line feed. Returns None if it is not a statement."""
    try:
        document = json.loads(line)
        stated = document["statement"]
        heads = {app: Head(int(head["seq"]), bytes.fromhex(head["digest"])) for app, head in stated["heads"].items()}
        return Statement(
            number=int(stated["number"]),
            previous=str(stated["previous"]),
            at=dt.datetime.fromisoformat(stated["at"]),
            database=str(stated["database"]),
            heads=heads,
            sha256=hashlib.sha256(line).hexdigest(),
            key_id=str(document["key_id"]),
            signed=_DOMAIN + canonical_json(stated),
            signature=base64.b64decode(document["signature"], validate=True),
        )
    except (ValueError, KeyError, TypeError, AttributeError, binascii.Error):
        return None


def statements() -> Iterator[Statement]:
    """Yields every statement in the file, in order. Yields nothing if there is no file."""
    try:
        with anchors.file(_FILE).open("rb") as file:
            for line in file:
                if line.endswith(b"\n") and (statement := parse(line[:-1])):
                    yield statement
    except FileNotFoundError:
        return


def last() -> Statement | None:
    """Returns the newest statement in the file, or None."""
    newest = None
    try:
        with anchors.file(_FILE).open("rb") as file:
            for line in _tail(file):
                newest = parse(line) or newest
    except FileNotFoundError:
        return None
    return newest or next(reversed(list(statements())), None)


def _tail(file: BinaryIO, most: int = 65_536) -> list[bytes]:
    """Returns the complete lines within the last `most` octets of the file."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - most))
    lines = file.read().split(b"\n")
    return lines[(1 if size > most else 0) : -1]


def append(heads: Mapping[str, Head], keys: AuditKeys, *, number: int, previous: str) -> Statement | None:
    """Signs and writes a statement with the present time, and returns it after fsync.

    Returns None if another process has appended since the caller read `previous`. Raises KeysUnavailable, OSError.
    """
    stated: dict[str, Any] = {
        "number": number,
        "previous": previous,
        "at": clock.now(),
        "database": connection.settings_dict["NAME"],
        "heads": {app: {"seq": head.seq, "digest": head.digest} for app, head in heads.items()},
    }
    signed = canonical_json(stated)
    key_id, signature = keys.sign(_DOMAIN + signed)
    public = anchors.file(f"head-{key_id}.pem")
    if not public.exists():
        write_atomically(public, keys.public_key(key_id))
    encoded = base64.b64encode(signature).decode()
    line = canonical_json({"statement": json.loads(signed), "key_id": key_id, "signature": encoded})
    return parse(line) if _write(line, previous) else None


def _write(line: bytes, previous: str) -> bool:
    path = anchors.file(_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        newest = None
        for each in _tail(file):
            newest = parse(each) or newest
        if newest is not None and newest.sha256 != previous:
            return False
        size = file.seek(0, os.SEEK_END)
        line_end = b""  # ends a line that a power cut truncated
        if size:
            file.seek(size - 1)
            line_end = b"" if file.read(1) == b"\n" else b"\n"
        file.write(line_end + line + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def marks(app: str) -> Iterator[Mark]:
    """Yields the mark of one application's chain in each statement that has one, in order."""
    for statement in statements():
        if head := statement.heads.get(app):
            yield Mark(head.seq, head.digest, statement.number, statement.at)


def examine(keys: AuditKeys, *, recorded: tuple[int, str] | None, begun: frozenset[int]) -> Report:
    """Checks the file's numbers, hashes, signatures and rising heads, then compares it with the database.

    `recorded` is the number and hash of the newest statement that the database has recorded. `begun` are the numbers at which an
    operator deliberately began a new file.
    """
    count, before, met = 0, None, recorded is None
    for statement in statements():
        if fault := _fault(statement, before, begun, keys):
            return Report(count, before, f"huvud nr {statement.number}: {fault}")
        if recorded and statement.number == recorded[0]:
            if statement.sha256 != recorded[1]:
                return Report(count, before, f"huvud nr {statement.number} är inte det som databasen har antecknat")
            met = True
        count, before = count + 1, statement
    if recorded and not met and not (before and before.number > recorded[0]):
        first = before.number + 1 if before else 1
        return Report(count, before, f"huvud nr {first} till {recorded[0]} saknas i filen utanför databasen")
    return Report(count, before)


def _fault(statement: Statement, before: Statement | None, begun: frozenset[int], keys: AuditKeys) -> str:
    if before is None and statement.number != 1 and statement.number not in begun:
        return "filens början saknas"
    if before is None and statement.number == 1 and statement.previous != FIRST:
        return "det första huvudet nämner ett tidigare"
    if before is not None and statement.number != before.number + 1:
        return f"följer inte på nr {before.number}"
    if before is not None and statement.previous != before.sha256:
        return "raden före är ändrad"
    if statement.database != connection.settings_dict["NAME"]:
        return "gäller en annan databas"
    try:
        if not keys.verifies(statement.key_id, statement.signed, statement.signature):
            return "signaturen stämmer inte"
    except KeyUnknown:
        return "signaturnyckeln är okänd"
    if before is not None and any(head.seq < _seq(before, app) for app, head in statement.heads.items()):
        return "en kedja är kortare än i huvudet före"
    return ""


def _seq(statement: Statement, app: str) -> int:
    head = statement.heads.get(app)
    return head.seq if head else 0
