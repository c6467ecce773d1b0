"""This process's connections past every right and trigger of the test database. Kept open: a new one reads the catalogue anew."""

import contextlib
import hashlib
import os
import select
from collections.abc import Collection, Iterator
from typing import Any

import psycopg2

GROWN = 256 * 1024
"""The size in bytes from which a table is vacuumed between two files of tests."""
_TABLES = "SELECT oid, relname, reltuples FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"

_open: dict[tuple[int, str], Any] = {}  # by process, since a child must not use its parent's, and by use


@contextlib.contextmanager
def cursor(use: str = "tests") -> Iterator[Any]:
    """A cursor in a transaction of its own, seeing what is committed. Not for two at once of the same use."""
    with _connection(use) as connection, connection.cursor() as opened:
        yield opened


def analyze() -> None:
    """Tells the planner how large the tables are, as autovacuum does after a while; the application may not."""
    with cursor() as opened:
        opened.execute("ANALYZE")


def empty_tables(but: Collection[str]) -> None:
    """Deletes all rows of every table of the application but some, by a function of the connection, which keeps their plans."""
    with cursor() as opened:
        opened.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        tables = sorted({name for (name,) in opened.fetchall()}.difference(but))
        function = f"pg_temp.empty_{hashlib.sha256(','.join(tables).encode()).hexdigest()[:32]}()"
        opened.execute("SELECT to_regprocedure(%s)", [function])
        if opened.fetchone() == (None,):  # another connection, or tables that a test of migrations made or dropped
            statements = ";".join(f'DELETE FROM "{table}"' for table in tables)
            opened.execute(f"CREATE FUNCTION {function} RETURNS void LANGUAGE plpgsql AS $$ BEGIN {statements}; END $$")
        opened.execute(f"SELECT {function}")


def forget_statistics() -> None:
    """Frees the space of rows that tests deleted or rolled back, and lets the planner know as little of all tables as at first.

    Autovacuum is off in the clusters of test processes. It counted the rows of tables between tests, when they were empty, and
    the planner then joined the thousands of rows of the next test by nested loops.
    """
    with _connection("vacuum").cursor() as opened:
        opened.execute(f"SELECT relname FROM ({_TABLES}) AS tables WHERE pg_relation_size(oid) > %s", [GROWN])
        if grown := ", ".join(f'"{name}"' for (name,) in opened.fetchall()):
            opened.execute(f"VACUUM (SKIP_LOCKED) {grown}")
        opened.execute(
            "UPDATE pg_class SET reltuples = -1, relpages = 0"
            f" WHERE oid IN (SELECT oid FROM ({_TABLES}) AS tables WHERE reltuples >= 0)"
        )


def stop_autovacuum() -> None:
    """Leaves vacuum and analyze to the tests."""
    with _connection("vacuum").cursor() as opened:
        opened.execute("ALTER SYSTEM SET autovacuum = off")
        opened.execute("SELECT pg_reload_conf()")


def renew_tables(application: str) -> None:
    """Deletes all rows of an application's tables, with what earlier tests left of theirs in files and indexes.

    A deleted row stays there until a vacuum. The planner counts its page, and a scan of an index counts the row.
    """
    with cursor() as opened:
        opened.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND starts_with(tablename, %s)", [f"{application}_"]
        )
        opened.execute("TRUNCATE " + ", ".join(f'"{table}"' for (table,) in opened.fetchall()))


def _connection(use: str) -> Any:
    known = _open.get((os.getpid(), use))
    if known is not None and _answers(known):
        return known
    from django.db import connection

    settings = connection.settings_dict
    made = psycopg2.connect(dbname=settings["NAME"], user="postgres", host=settings["OPTIONS"]["host"])
    with made, made.cursor() as opened:
        opened.execute("SET session_replication_role = replica")
    made.autocommit = use == "vacuum"  # which is no part of a transaction
    _open[os.getpid(), use] = made
    return made


def _answers(known: Any) -> bool:
    """Whether no test has ended it: the server says nothing unasked but goodbye."""
    return not known.closed and not select.select([known], [], [], 0)[0]


def remove(rows: Any) -> None:
    """Removes committed rows of a queryset that the application cannot, such as those of tables that are kept (ADR 0298)."""
    keys = [str(pk) for pk in rows.values_list("pk", flat=True)]
    column = rows.model._meta.pk.column
    with cursor() as opened:
        opened.execute(f"DELETE FROM {rows.model._meta.db_table} WHERE {column}::text = ANY(%s)", [keys])
