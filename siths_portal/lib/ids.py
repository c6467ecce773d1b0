"""Identifiers of rows that URLs and APIs contain."""

import secrets
import time
import uuid
from collections.abc import Iterable


def new_id() -> uuid.UUID:
    """Returns a UUID version 7 (RFC 9562 section 5.7): 48 bits of milliseconds, 74 random bits. Unguessable; rises with time."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | secrets.randbits(80)
    value = value & ~(0xF << 76) | (0x7 << 76)
    value = value & ~(0x3 << 62) | (0x2 << 62)
    return uuid.UUID(int=value)


def id_of(text: str) -> uuid.UUID | None:
    """Parses `text` as a UUID. Returns None if it is not one; our own pages never link to such a value."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return None


def ids_of(texts: Iterable[str]) -> list[uuid.UUID]:
    """Returns the valid ids among `texts`, each once, in their order."""
    return list(dict.fromkeys(found for text in texts if (found := id_of(text))))
