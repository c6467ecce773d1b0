"""Rows that many tests start from, made by the services once a process and a day; later tests have copies in their empty tables.

What is copied is all that making them left in the database, ids and events too, as if it had been made some minutes ago.
"""

import copy
import io
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from siths_portal.lib import clock
from tests import superuser

FRAMEWORK = frozenset({"django_migrations", "django_content_type", "auth_permission"})
"""Tables whose rows come with the migrations, and stay when a database is emptied."""


@dataclass(frozen=True)
class _Made:
    when: object
    tables: dict[str, bytes]  # as COPY text
    values: dict[str, Any]


_made: dict[str, _Made] = {}


def first_rows(name: str, application: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` returns, with its rows committed. `make` needs no rows, and leaves nothing but rows of the application; of any
    application if that is empty.

    They are made anew on another day, at another moment of a stopped clock, inside a transaction, and where their tables hold
    rows already.
    """
    if connection.in_atomic_block:
        return make()
    when = clock._moved.get() or (clock.today(), clock.now().date())
    known = _made.get(name)
    if known is None or known.when != when:
        return _make_and_keep(name, application, when, make)
    with superuser.cursor() as cursor:
        free = not _any_filled(cursor, known.tables)
        if free:
            for table, text in known.tables.items():
                cursor.copy_expert(f'COPY "{table}" FROM STDIN', io.BytesIO(text))
    return copy.deepcopy(known.values) if free else make()


def _make_and_keep(name: str, application: str, when: object, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    before = texts(application).keys() - FRAMEWORK
    values = make()
    if not before:
        kept = {table: text for table, text in texts(application).items() if table not in FRAMEWORK}
        _made[name] = _Made(when, kept, copy.deepcopy(values))
    return values


def _any_filled(cursor: Any, tables: Iterable[str]) -> bool:
    cursor.execute("SELECT " + " OR ".join(f'EXISTS (SELECT FROM "{table}")' for table in tables))
    return bool(cursor.fetchone()[0])


def texts(application: str = "") -> dict[str, bytes]:
    """The tables that hold rows, of one application or of all, as COPY text."""
    found = {}
    with superuser.cursor() as cursor:
        prefix = f"{application}_" if application else ""
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND starts_with(tablename, %s)", [prefix])
        for (table,) in cursor.fetchall():
            text = io.BytesIO()
            cursor.copy_expert(f'COPY "{table}" TO STDOUT', text)
            if text.tell():
                found[table] = text.getvalue()
    return found


def forget() -> None:
    """Rows are made anew the next time."""
    _made.clear()
