"""Searches a database and files for PUKs, PINs and codes in clear: as text, in hexadecimal, in base64 (S23, S25).

A secret of digits counts if no other digit is next to it and it is not a part of a UUID, a hash or a decimal number, which
contain a few given digits by chance. Compressed contents, such as the streams of a PDF, are not decompressed.
"""

import base64
import io
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from django.db import connection

SHORTEST = 6
"""Shorter secrets are refused: they occur by chance."""

_BYTEA = re.compile(rb"\\+x((?:[0-9a-f]{2})+)")  # as PostgreSQL writes `bytea`
_HASH = 20
"""A word of so many hexadecimal digits and hyphens is a UUID or a hash."""


def tables(cursor: Any) -> Iterator[tuple[str, bytes]]:
    """Yields each table that the cursor's role may read, with its rows as COPY text. Other tables are not searched."""
    cursor.execute(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' "
        "AND has_table_privilege(format('%I.%I', schemaname, tablename), 'SELECT') ORDER BY tablename"
    )
    for (table,) in cursor.fetchall():
        rows = io.BytesIO()
        cursor.copy_expert(f'COPY "{table}" TO STDOUT', rows)
        yield table, rows.getvalue()


def own_tables() -> Iterator[tuple[str, bytes]]:
    """Yields the tables of the process's own database, as `tables`."""
    with connection.cursor() as cursor:
        yield from tables(cursor)


def in_tables(rows: Iterable[tuple[str, bytes]], secrets: Iterable[str]) -> list[str]:
    """Returns the names of the tables whose COPY text contains a secret, never the secret. Raises ValueError if there is nothing
    to look for or to look in: the search would prove nothing.
    """
    wanted, found, searched = _wanted(secrets), list[str](), 0
    for name, content in rows:
        searched += len(content)
        if _contains(_BYTEA.sub(lambda value: bytes.fromhex(value[1].decode()), content), wanted):
            found.append(name)
    if not searched:
        raise ValueError("no table has a row: the search would prove nothing")
    return found


def in_files(files: Iterable[Path], secrets: Iterable[str]) -> list[str]:
    """Returns the names of the files that contain a secret, never the secret. Raises ValueError if there is none to look for."""
    wanted = _wanted(secrets)
    return [path.name for path in files if _contains(path.read_bytes(), wanted)]


def _wanted(secrets: Iterable[str]) -> list[bytes]:
    wanted = sorted({secret.encode() for secret in secrets})
    if not wanted or len(min(wanted, key=len)) < SHORTEST:
        raise ValueError("a secret is missing or too short: the search would prove nothing")
    return wanted


def _contains(content: bytes, secrets: Iterable[bytes]) -> bool:
    return any(_in_clear(content, secret) or any(form in content for form in _encoded(secret)) for secret in secrets)


def _in_clear(content: bytes, secret: bytes) -> bool:
    if secret not in content:  # much faster than the pattern
        return False
    if not secret.isdigit():
        return True
    places = re.finditer(rb"(?<!\d)(?<!\d\.)" + secret + rb"(?!\.?\d)", content)
    return any(not _is_in_hash(content, *place.span()) for place in places)


def _is_in_hash(content: bytes, start: int, end: int) -> bool:
    before = re.search(rb"[0-9a-fA-F-]*\Z", content[max(0, start - _HASH) : start])
    after = re.match(rb"[0-9a-fA-F-]*", content[end : end + _HASH])
    return len(before[0] if before else b"") + end - start + len(after[0] if after else b"") >= _HASH


def _encoded(secret: bytes) -> Iterator[bytes]:
    """Yields the secret in hexadecimal and in base64, there at each place that it can have in a longer text."""
    yield from (secret.hex().encode(), secret.hex().upper().encode())
    for before in range(3):
        whole = base64.b64encode(bytes(before) + secret)
        # The first characters depend on what stands before, the last on what comes after.
        inner = whole[-(-before * 8 // 6) : (before + len(secret)) * 8 // 6]
        yield from (inner, inner.translate(bytes.maketrans(b"+/", b"-_")))
