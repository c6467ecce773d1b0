"""Removal of personal data and secrets from log lines: personal numbers, HSA-ids, card serials, codes, keys, addresses.

Patterns find numbers in any text. Names and street addresses have no pattern, so all values of such keys are hidden, and messages
of exception types that may quote data are left out.
"""

import datetime as dt
import math
import re
import traceback
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import TracebackType
from typing import Any
from uuid import UUID

from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.template import TemplateDoesNotExist, TemplateSyntaxError

from siths_portal.lib.errors import DomainError

HIDDEN = "[dolt]"
LONGEST = 4000
_DEEPEST = 6

_WORDS = frozenset(
    {
        "pin",
        "puk",
        "code",
        "codes",
        "password",
        "passphrase",
        "secret",
        "secrets",
        "token",
        "authorization",
        "cookie",
        "cookies",
        "personnummer",
        "samordningsnummer",
        "pnr",
        "ssn",
        "hsa",
        "hsaid",
        "identifier",
        "serial",
        "serials",
        "upn",
        "photo",
        "name",
        "names",
        "surname",
        "surnames",
        "forename",
        "lastname",
        "firstname",
        "fullname",
        "givenname",
        "address",
        "addresses",
        "street",
        "postal",
        "city",
        "mail",
        "email",
        "phone",
        "mobile",
    }
)
_KEYS = frozenset({"person_id", "kwargs", "args", "argsrepr", "kwargsrepr", "body", "csr", "jwe"})
_NAMES_OF_THINGS = frozenset(
    {"file", "host", "task", "job", "queue", "event", "logger", "function", "module", "table", "constraint"}
)
_KEBAB = re.compile(r"[a-z]+(?:-[a-z0-9]+)*")
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"

_DATE = r"\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])"
_DASH = r"[-+\u00ad\u200b\u2010-\u2015\u2212 \u00a0]"
_SENSITIVE = re.compile(
    "|".join(
        (
            rf"(?P<kept>\b{_UUID}\b|\b(?=\d*[a-f])[0-9a-f]{{32,128}}\b)",  # our ids and hashes may hold runs of digits
            r"(?<!\d)\d(?:[-. \u00a0]?\d){18}(?!\d)",  # card serial, 19 digits, in any grouping
            r"[a-z]{2,10}\d{10,12}-[a-z0-9]+",  # HSA-id, with any prefix
            rf"(?<!\d)(?:1[89]|20)?{_DATE}{_DASH}?\d{{4}}(?!\d)",  # personnummer and samordningsnummer
            r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
            r"eyJ[\w-]{8,}\.[\w.-]+",  # JWS and JWE
        )
    ),
    re.IGNORECASE,
)

# Exceptions whose message is about code and not about data. Of others only the type is logged.
_SAFE_MESSAGES = (
    ArithmeticError,
    AttributeError,
    ImportError,
    ImproperlyConfigured,
    NameError,
    RuntimeError,
    TemplateDoesNotExist,
    TemplateSyntaxError,
    TypeError,
)


def scrub(text: str) -> str:
    """Returns `text` without personal numbers, HSA-ids, card serials, e-mail addresses and tokens.

    Control, format and separator characters (also of terminals and of bidirectional text) become `\\uXXXX`, so that no value
    can start a line, move a cursor or change the reading order (S45).
    """
    if len(text) > LONGEST:
        text = text[:LONGEST] + "…"
    text = _SENSITIVE.sub(lambda found: found[0] if found["kept"] else HIDDEN, text)
    return "".join(c if c.isprintable() or c == " " else _escaped(c) for c in text)


def _escaped(character: str) -> str:
    """Returns a non-printable character as its escape, and another kind of space as a space."""
    if unicodedata.category(character) == "Zs":
        return " "
    return f"\\u{ord(character):04x}"


def clean(value: Any, *, depth: int = 0) -> Any:
    """Returns `value` as JSON values without sensitive data at any depth. Of an unknown object returns only the type's name."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Enum):
        return clean(value.value, depth=depth)
    if isinstance(value, int):
        return value if scrub(str(value)) == str(value) else HIDDEN
    if isinstance(value, UUID | dt.date | dt.time | dt.timedelta | Decimal):
        return str(value)
    if isinstance(value, str | PurePath):
        return scrub(str(value))
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {scrub(str(key)): clean_item(str(key), item, depth=depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [clean(item, depth=depth + 1) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return f"[{len(value)} bytes]"
    if isinstance(value, BaseException):
        return describe(value)
    if isinstance(value, type):
        return value.__qualname__
    return f"[{type(value).__qualname__}]"


def clean_item(key: str, value: Any, *, depth: int = 0) -> Any:
    """Returns HIDDEN if `key` is sensitive, else `clean(value)`. UUIDs and kebab-case error codes are kept under any key."""
    if value is None or isinstance(value, bool | UUID) or not _is_sensitive(key):
        return clean(value, depth=depth)
    if isinstance(value, str) and re.fullmatch(_UUID, value):
        return value
    if key in ("code", "error_code") and isinstance(value, str) and _KEBAB.fullmatch(value):
        return scrub(value)
    return HIDDEN


def _is_sensitive(key: str) -> bool:
    words = [word.lower() for word in re.findall(r"[A-Z]?[^\W_A-Z]+|[A-Z]+(?![a-z])", key)]
    if "_".join(words) in _KEYS:
        return True
    if words[-1:] == ["name"] and set(words[:-1]) & _NAMES_OF_THINGS:
        return False
    return not _WORDS.isdisjoint(words) or not _WORDS.isdisjoint({"".join(words)})


def describe(error: BaseException) -> str:
    """Returns one line: the type of `error`, a message that cannot quote data, or a database error's SQLSTATE and table."""
    name = type(error).__qualname__
    if isinstance(error, DomainError):
        return f"{name}: {scrub(error.code)}"
    if isinstance(error, DatabaseError) or hasattr(error, "pgcode"):
        return f"{name}: {_database(error)}"
    if isinstance(error, OSError):
        return f"{name}: errno {error.errno}" if error.errno else name
    return f"{name}: {scrub(str(error))}" if isinstance(error, _SAFE_MESSAGES) else name


def _database(error: BaseException) -> str:
    """Returns SQLSTATE, table, column and constraint of a database error. Its text and detail may quote values."""
    cause = error if hasattr(error, "diag") else error.__cause__
    diag = getattr(cause, "diag", None)
    facts = {"sqlstate": getattr(cause, "pgcode", None), "table": getattr(diag, "table_name", None)}
    facts |= {"column": getattr(diag, "column_name", None), "constraint": getattr(diag, "constraint_name", None)}
    return " ".join(f"{key}={scrub(str(value))}" for key, value in facts.items() if value) or "no answer from the server"


def explain(error: BaseException, trace: TracebackType | None = None) -> list[str]:
    """Returns lines with `error`, its causes and their code locations, without values of variables and source lines."""
    lines: list[str] = []
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        lines.append(describe(current) if current is error else f"caused by {describe(current)}")
        tb = trace if current is error and trace else current.__traceback__
        lines += [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(tb, limit=-20)]
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return lines
