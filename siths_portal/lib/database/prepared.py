"""Queries that Django builds and compiles once per process, and PostgreSQL plans once per connection.

Django needs up to 4 ms of CPU to build and compile a query with scope and rights, and PostgreSQL up to 1.5 ms to plan it;
executing it takes less than 0.3 ms. The pages that clerks use most read with prepared queries (ADR 0349).
"""

import copy
import functools
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from threading import Lock
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import QuerySet
from psycopg2.extensions import AsIs  # type: ignore[import-untyped]

from siths_portal.lib import clock
from siths_portal.lib.database.stand_ins import NOW, slots, split

MOST_SHAPES = 500
"""The limit of compiled queries in a process; the least recently used is removed first."""

MOST_PLANS = 200
"""The limit of plans of a connection. PostgreSQL needs some 100 kB for each; further queries are planned each time."""

_TYPES = {"UUID": "uuid", "int": "bigint", "str": "text", "datetime": "timestamptz", "date": "date"}

_planned: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


class Prepared[**P, R]:
    """A function that returns the rows of a queryset. The queryset is built once for each shape of the arguments."""

    def __init__(self, build: Callable[P, QuerySet[Any, R]]) -> None:
        self.build = build
        functools.update_wrapper(self, build)

    def __call__(self, *arguments: P.args, **_none: P.kwargs) -> list[R]:
        """Returns the rows of `build`'s queryset for these positional arguments."""
        statement, values = self._compiled(arguments)
        return cast("list[R]", statement.rows(values))

    def question(self, *arguments: P.args, **_none: P.kwargs) -> tuple[str, tuple[Any, ...]]:
        """Returns the SQL and the parameters of a call with these arguments. The SQL is empty if the call needs no query."""
        statement, values = self._compiled(arguments)
        return statement.question(values)

    def _compiled(self, arguments: Sequence[Any]) -> tuple["_Statement", dict[Any, Any]]:
        call = split(arguments)
        key = (self.build, call.shape)
        statement = _statements.get(key)
        if statement is None:
            with clock.moved_to(NOW):
                build = cast("Callable[..., QuerySet[Any, R]]", self.build)
                statement = _Statement(build(*call.arguments), call.values)
            _statements.add(key, statement)
        return statement, call.values


def prepared[**P, R](build: Callable[P, QuerySet[Any, R]]) -> Prepared[P, R]:
    """Turns a function that returns a queryset into one that returns its rows with a query compiled and planned once.

    `build` is called with stand-ins for its values (see `stand_ins.split`), and the clock shows a stand-in too. It may only use
    them in conditions: it must not compare values or compute with them, read settings, or query the database.
    """
    return Prepared(build)


class _Statements:
    """The compiled queries of this process, at most `MOST_SHAPES`."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, _Statement] = OrderedDict()
        self._lock = Lock()

    def get(self, key: Hashable) -> "_Statement | None":
        """Returns the query with this key, or None."""
        with self._lock:
            if key in self._known:
                self._known.move_to_end(key)
            return self._known.get(key)

    def add(self, key: Hashable, statement: "_Statement") -> None:
        """Adds a query, and removes the least recently used one beyond the limit."""
        with self._lock:
            self._known[key] = statement
            if len(self._known) > MOST_SHAPES:
                self._known.popitem(last=False)


_statements = _Statements()


class _Plan(NamedTuple):
    """A prepared statement of PostgreSQL: its name, and the SQL that prepares and executes it."""

    name: str
    prepare: str
    execute: str


class _Statement:
    """A compiled query with the positions of its values. It is immutable, since threads share it."""

    def __init__(self, queryset: QuerySet[Any, Any], values: dict[Any, Any]) -> None:
        self._queryset = queryset
        self._alias = queryset.db
        self._compiler: Any = queryset.query.get_compiler(self._alias)
        try:
            self._sql, parameters = self._compiler.as_sql()
        except EmptyResultSet:
            self._sql, parameters = "", ()
        self._parameters = tuple(parameters)
        self._slots = tuple(slots(self._parameters, values))
        self._distinct = tuple({slot.content: slot for slot in self._slots}.values())
        self._planned_as: _Plan | None = None

    def question(self, values: dict[Any, Any]) -> tuple[str, tuple[Any, ...]]:
        """Returns the query and its parameters with these values."""
        parameters = list(self._parameters)
        for slot in self._slots:
            parameters[slot.position] = slot.parameter(values)
        return self._sql, tuple(parameters)

    def rows(self, values: dict[Any, Any]) -> list[Any]:
        """Returns the rows as the queryset would, with these values."""
        if not self._sql:
            return []
        connection = connections[self._alias]
        # Whoever captures queries wants to read them.
        plan = None if connection.force_debug_cursor else self._plan(connection)
        if plan is None:
            question = self.question(values)
        else:
            question = (plan.execute, tuple(slot.parameter(values) for slot in self._distinct))
        compiler = copy.copy(self._compiler)
        compiler.connection = connection
        compiler.as_sql = lambda *_args, **_options: question
        return list(self._bound(compiler))

    def _plan(self, connection: Any) -> "_Plan | None":
        """Returns the plan after preparing it on the connection, or None if the connection has too many."""
        with connection.cursor() as cursor:  # connects, or connects again if the server has closed the connection
            plan = self._planned_as = self._planned_as or self._as_plan(cursor.connection)
            names = _planned.setdefault(cursor.connection, set())
            if plan.name not in names:
                if len(names) >= MOST_PLANS:
                    return None
                # Bypasses Django's query log, so that a page's first request counts no more queries than later ones.
                with connection.wrap_database_errors, cursor.connection.cursor() as raw:
                    raw.execute(plan.prepare)
                names.add(plan.name)
            return plan

    def _as_plan(self, raw_connection: Any) -> "_Plan":
        numbers = {slot.content: f"${number}" for number, slot in enumerate(self._distinct, 1)}
        places: list[Any] = list(self._parameters)
        for slot in self._slots:
            places[slot.position] = AsIs(numbers[slot.content])
        with raw_connection.cursor() as raw:
            query = raw.mogrify(self._sql, places).decode()
        types = ", ".join(_TYPES[type(slot.stand_in).__name__] for slot in self._distinct)
        values = ", ".join(["%s"] * len(self._distinct))
        # Named by its content, so that a query which is compiled again finds its plan.
        name = f"prepared_{hashlib.sha256(f'{types} {query}'.encode()).hexdigest()[:16]}"
        if not self._distinct:
            return _Plan(name, f"PREPARE {name} AS {query}", f"EXECUTE {name}")
        return _Plan(name, f"PREPARE {name} ({types}) AS {query}", f"EXECUTE {name} ({values})")

    def _bound(self, compiler: Any) -> QuerySet[Any, Any]:
        """Returns a copy of the compiled queryset that executes with `compiler`."""
        known: Any = self._queryset
        query = object.__new__(type(known.query))
        query.__dict__.update(known.query.__dict__, get_compiler=lambda *_args, **_options: compiler)
        bound: Any = type(known)(model=known.model, query=query, using=self._alias)
        bound._iterable_class, bound._fields = known._iterable_class, known._fields
        bound._prefetch_related_lookups = known._prefetch_related_lookups
        return cast("QuerySet[Any, Any]", bound)
