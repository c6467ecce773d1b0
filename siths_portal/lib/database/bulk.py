"""Many new rows at once by PostgreSQL's COPY, for batches that would else spend their time in the mapper.

What the database keeps, it keeps as for any insert: constraints, foreign keys, triggers, rights and defaults.
"""

import datetime as dt
import io
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import connection, models

_SPECIAL = re.compile(r"[\\\t\n\r]")
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
    names = [field.attname for field in model._meta.concrete_fields if not _left_out(field)]
    return insert_values(model, names, ([getattr(row, name) for name in names] for row in listed))


def insert_values(
    model: type[models.Model],
    names: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    like: models.Model | None = None,
    table: str = "",
) -> int:
    """As `insert`, for the values of these fields, without a model's object for each row.

    The other fields are those of `like`, the same in all rows; without it they are left to the database. With `table` the rows go
    there instead, to columns of the model's names.
    """
    fields = {field.attname: field for field in model._meta.concrete_fields}
    others = [name for name, field in fields.items() if like and name not in names and not _left_out(field)]
    rest = "".join("\t" + _text(getattr(like, name)) for name in others) + "\n"
    columns = [fields[name].column or name for name in (*names, *others)]
    return _copy(table or model._meta.db_table, columns, rows, rest)


def copy(table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """As `insert_values`, for a table that no model knows, such as a temporary one."""
    return _copy(table, columns, rows, "\n")


def _copy(table: str, columns: Sequence[str], rows: Iterable[Sequence[object]], rest: str) -> int:
    lines = io.StringIO()
    count = 0
    for row in rows:
        lines.write("\t".join([_text(value) for value in row]) + rest)
        count += 1
    if not count:
        return 0
    lines.seek(0)
    quote = connection.ops.quote_name
    named = ", ".join(quote(column) for column in columns)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        cursor.copy_expert(f"COPY {quote(table)} ({named}) FROM STDIN", lines)
    return count


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


def _escaped(value: str) -> str:
    return value.translate(_ESCAPES) if _SPECIAL.search(value) else value


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def _json(value: object) -> str:
    return _escaped(_encode(value))


_TEXTS: dict[type, Callable[[Any], str]] = {
    str: _escaped,
    bool: lambda value: "t" if value else "f",
    int: str,
    bytes: lambda value: "\\\\x" + value.hex(),
    memoryview: lambda value: "\\\\x" + value.hex(),
    UUID: str,
    dt.datetime: lambda value: value.isoformat(),
    dt.date: lambda value: value.isoformat(),
    dict: _json,
    list: _json,
}
