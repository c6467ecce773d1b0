"""Many new rows at once by PostgreSQL's COPY, for batches that would else spend their time in the mapper.

What the database keeps, it keeps as for any insert: constraints, foreign keys, triggers, rights and defaults.
"""

import datetime as dt
import io
import json
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

from django.db import connection, models

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NULL = "\\N"


def insert(rows: Iterable[models.Model]) -> int:
    """Inserts unsaved rows of one model, in their order and the caller's transaction; returns how many.

    Keys that the database numbers and columns with a default of its own are left to it, and are not read back; no signals are
    sent. Raises IntegrityError and its like as the mapper does, and TypeError for a value of a type that no column here has.
    """
    listed = list(rows)
    if not listed:
        return 0
    model = type(listed[0])
    fields = [field for field in model._meta.concrete_fields if not _left_out(field)]
    names = [field.attname for field in fields]
    lines = io.StringIO()
    for row in listed:
        lines.write("\t".join([_text(getattr(row, name)) for name in names]))
        lines.write("\n")
    lines.seek(0)
    quote = connection.ops.quote_name
    columns = ", ".join(quote(field.column or field.name) for field in fields)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(f"COPY {quote(model._meta.db_table)} ({columns}) FROM STDIN", lines)
    return len(listed)


def _left_out(field: "models.Field[Any, Any]") -> bool:
    return isinstance(field, models.AutoField | models.BigAutoField) or field.has_db_default()


def _text(value: object) -> str:
    """A value in COPY's text format."""
    if value is None:
        return _NULL
    try:
        return _TEXTS[type(value)](value)
    except KeyError:
        for kind, text in _TEXTS.items():
            if isinstance(value, kind):
                return text(value)
        raise TypeError(f"{type(value).__name__} in a column") from None


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_ESCAPES)


_TEXTS: dict[type, Callable[[Any], str]] = {
    str: lambda value: value.translate(_ESCAPES),
    bool: lambda value: "t" if value else "f",
    int: str,
    bytes: lambda value: "\\\\x" + value.hex(),
    memoryview: lambda value: "\\\\x" + value.hex(),
    UUID: str,
    dt.datetime: lambda value: value.isoformat(),
    dict: _json,
    list: _json,
}
