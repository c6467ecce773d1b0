"""A database session that stores nothing: its own empty temporary tables hide those of `pki` (ADR 0125).

`PGOPTIONS` makes the session read-only from its start, and PostgreSQL allows a read-only transaction to write only temporary
tables: it refuses a write to any other table, and drops the temporary ones with the session. The database's functions search the
real tables first, so the session has its own copies of those that a ceremony calls (`own_functions`).
"""

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from pki.ocsp import presigning

READ_ONLY = "-c default_transaction_read_only=on"
"""The required value of `PGOPTIONS` in the environment of the process."""
_FUNCTIONS = ("pki_draw_status_versions",)
_REAL, _OWN = "SET search_path TO 'public', 'pg_temp'", "SET search_path TO 'pg_temp', 'public'"


class NotScratch(RuntimeError):
    """The session may write lasting data."""


def begin() -> None:
    """Makes the session's own tables, empty and with the constraints of the real ones. Raises NotScratch, DatabaseError."""
    tables = [model._meta.db_table for model in apps.get_app_config("pki").get_models()]
    _refuse_writable()
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ WRITE")
        for table in tables:
            name = connection.ops.quote_name(table)
            cursor.execute(f"CREATE TEMPORARY TABLE {name} (LIKE {name} INCLUDING ALL)")
        for function in _FUNCTIONS:
            _make_own(cursor, function)
        presigning.make_piece(cursor)
    check()


def _make_own(cursor: CursorWrapper, function: str) -> None:
    """Makes the session's copy of a function, which runs with the caller's rights on the session's tables. Raises NotScratch."""
    cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [f"public.{function}"])
    text = cursor.fetchone()[0]
    for real, own in ((f"FUNCTION public.{function}", f"FUNCTION pg_temp.{function}"), ("SECURITY DEFINER", ""), (_REAL, _OWN)):
        if text.count(real) != 1:
            raise NotScratch
        text = text.replace(real, own)
    cursor.execute(text)


def own_functions(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """For `connection.execute_wrapper`: calls the session's own functions, which PostgreSQL finds only with their schema."""
    for function in _FUNCTIONS:
        sql = sql.replace(f"SELECT {function}(", f"SELECT pg_temp.{function}(")
    return execute(sql, params, many, context)


def check() -> None:
    """Raises NotScratch unless every table of `pki` is the session's own, and everything else is read-only."""
    _refuse_writable()
    tables = [model._meta.db_table for model in apps.get_app_config("pki").get_models()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_class WHERE oid = ANY(%s::regclass[]) AND relnamespace = pg_my_temp_schema()",
            [[connection.ops.quote_name(table) for table in tables]],
        )
        if cursor.fetchone() != (len(tables),):
            raise NotScratch


def _refuse_writable() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW default_transaction_read_only")
        if cursor.fetchone() != ("on",):
            raise NotScratch
