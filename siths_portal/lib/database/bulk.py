"""Bulk inserts with PostgreSQL's COPY, for batches in which Django's ORM would take most of the time.

Constraints, foreign keys, triggers, privileges and defaults apply as for any insert.
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
    """Inserts unsaved rows of one model, in order and in the caller's transaction, and returns how many.

    Leaves automatic keys and columns with a database default to the database, does not read them back, and sends no signals.
    Raises Django's database errors such as IntegrityError, and TypeError for a value of an unsupported type.
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
    """Does the same as `insert` for the values of the fields `names`, without a model instance for each row.

    The other fields get the values of `like` in all rows; without `like` they are left to the database. `table` is another table
    to insert into, with the model's column names.
    """
    fields = {field.attname: field for field in model._meta.concrete_fields}
    others = [name for name, field in fields.items() if like and name not in names and not _left_out(field)]
    rest = "".join("\t" + _text(getattr(like, name)) for name in others) + "\n"
    columns = [fields[name].column or name for name in (*names, *others)]
    return _copy(table or model._meta.db_table, columns, rows, rest)


def copy(table: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """Does the same as `insert_values` for a table without a model, such as a temporary one."""
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
    """Returns a value in COPY's text format. Raises TypeError for an unsupported type."""
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
