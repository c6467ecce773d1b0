"""Rows that many tests start from, made by the services once a process and a day; later tests have copies in their empty tables.

What is copied is all that making them left in the database, ids and events too, as if it had been made some minutes ago.
`further_rows` are copied onto rows that were copied themselves.
"""

import contextlib
import copy
import io
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
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


@dataclass
class _Ground:
    """The copies that the tables hold and nothing else: `layers` is None if that is not known.

    The cluster is this test process's own, so nobody has written if no transaction has got a number since.
    """

    layers: frozenset[Any] | None = None
    transactions: int = 0

    def untouched(self) -> frozenset[Any] | None:
        """The copies, if nothing was written beside them."""
        return self.layers if self.layers is not None and self.transactions == _transactions() else None

    def lie(self, layers: frozenset[Any] | None) -> None:
        """What the tables hold now."""
        self.layers, self.transactions = layers, _transactions()


_ground = _Ground()


def _transactions() -> int:
    with superuser.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text")
        return int(cursor.fetchone()[0])


def emptied() -> None:
    """The tables are empty."""
    _ground.lie(frozenset())


@contextlib.contextmanager
def rows_stay() -> Iterator[None]:
    """What is done meanwhile is a transaction, but writes no row of a table that is emptied."""
    layers = _ground.untouched()
    yield
    _ground.lie(layers)


def layer(name: Hashable, fill: Callable[[], Any]) -> Any:
    """Calls `fill`, which writes rows that are the same each time under this name."""
    beneath = _ground.untouched()
    result = fill()
    _ground.lie(None if beneath is None else beneath | {name})
    return result


def first_rows(name: str, application: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `make` returns, with its rows committed. `make` needs no rows, and leaves nothing but rows of the application; of any
    application if that is empty.

    They are made anew on another day, at another moment of a stopped clock, inside a transaction, and where their tables hold
    rows already.
    """
    if connection.in_atomic_block:
        return make()
    known = _made.get(name)
    beneath = _ground.untouched()
    if known is None or known.when != _when():
        values = _make_and_keep(name, application, make)
    else:
        with superuser.cursor() as cursor:
            free = not _any_filled(cursor, known.tables)
        if not free:
            return make()
        fill(known.tables)
        values = copy.deepcopy(known.values)
    kept = _made.get(name)
    _ground.lie(None if beneath is None or kept is None or kept.when != _when() else beneath | {(name, id(kept))})
    return values


def _when() -> Hashable:
    return clock._moved.get() or (clock.today(), clock.now().date())


def _make_and_keep(name: str, application: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    when, before = _when(), texts(application).keys() - FRAMEWORK
    values = make()
    if not before:
        kept = {table: text for table, text in texts(application).items() if table not in FRAMEWORK}
        _made[name] = _Made(when, kept, copy.deepcopy(values))
    return values


@dataclass(frozen=True)
class _Further:
    beneath: tuple[Any, ...]
    """Kept, so that no other copy gets its id."""
    added: Mapping[str, bytes]
    changed: Mapping[str, bytes]
    """Tables of which rows beneath were changed, whole."""
    values: dict[str, Any]


_further: dict[Hashable, _Further] = {}


def further_rows(name: Hashable, make: Callable[[], dict[str, Any]], quiet: Callable[[], bool]) -> dict[str, Any]:
    """What `make` returns, with its rows beside the copies that are in the tables. A copy too, if those are the same copies as
    the first time, on the same day, and nothing else has been written. Kept only if the run is `quiet`: nobody else writes.
    """
    beneath = None if connection.in_atomic_block else _ground.untouched()
    if not beneath:
        return make()
    key = (name, beneath, _when())
    known = _further.get(key)
    if known is None:
        return _make_and_keep_further(key, make) if quiet() else make()
    with superuser.cursor() as cursor:
        for table in known.changed:
            cursor.execute(f'DELETE FROM "{table}"')
    fill({**known.added, **known.changed})
    return copy.deepcopy(known.values)


def _make_and_keep_further(key: Hashable, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    before, values, after = texts(), make(), texts()
    added, changed = {}, {}
    for table in before.keys() | after.keys():
        old, new = (Counter(rows.get(table, b"").splitlines(keepends=True)) for rows in (before, after))
        if old - new:
            changed[table] = after.get(table, b"")
        elif more := new - old:
            added[table] = b"".join(more.elements())
    _further[key] = _Further(tuple(_made.values()), added, changed, copy.deepcopy(values))
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


def fill(tables: Mapping[str, bytes]) -> None:
    """Adds rows that `texts` returned."""
    with superuser.cursor() as cursor:
        for table, text in tables.items():
            cursor.copy_expert(f'COPY "{table}" FROM STDIN', io.BytesIO(text))


def forget() -> None:
    """Rows are made anew the next time."""
    _made.clear()
    _further.clear()
    _ground.layers = None
