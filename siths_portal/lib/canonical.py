"""The canonical byte form of JSON values, for hashes and chains."""

import datetime as dt
import hashlib
import json
from typing import Any
from uuid import UUID


def _plain(value: object) -> object:
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise TypeError("a datetime without a zone has no canonical form")
        return value.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    if isinstance(value, dt.date | UUID):
        return str(value)
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    raise TypeError(f"no canonical form for {type(value).__name__}")


def canonical_json(value: Any) -> bytes:
    """Returns UTF-8 JSON with sorted keys and no white space; datetimes in UTC with microseconds, bytes in hex.

    Raises TypeError for other types and naive datetimes, ValueError for NaN, infinities and lone surrogates.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=_plain, allow_nan=False).encode()


def sha256_hex(content: bytes) -> str:
    """Returns the SHA-256 of `content` as 64 lower-case hex digits."""
    return hashlib.sha256(content).hexdigest()
