"""A database in which nothing can be left behind: a session whose own empty tables stand before those of `pki` (ADR 0125).

The session is read only from its first moment, by `PGOPTIONS`, and PostgreSQL lets a read-only transaction write temporary tables
alone: a statement that met another table would be refused, and all of it ends with the session. The database's functions look
at the real tables first, so the session has its own of those that a ceremony calls (`own_functions`).
"""

from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from pki.ocsp import presigning

READ_ONLY = "-c default_transaction_read_only=on"
"""What `PGOPTIONS` must hold in the environment of the process."""
_FUNCTIONS = ("pki_draw_status_versions",)
_REAL, _OWN = "SET search_path TO 'public', 'pg_temp'", "SET search_path TO 'pg_temp', 'public'"


class NotScratch(RuntimeError):
    """The session may write what stays."""


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
    """Makes the session's own of a function: it does the same as the caller, in the session's tables. Raises NotScratch."""
    cursor.execute("SELECT pg_get_functiondef(%s::regproc)", [f"public.{function}"])
    text = cursor.fetchone()[0]
    for real, own in ((f"FUNCTION public.{function}", f"FUNCTION pg_temp.{function}"), ("SECURITY DEFINER", ""), (_REAL, _OWN)):
        if text.count(real) != 1:
            raise NotScratch
        text = text.replace(real, own)
    cursor.execute(text)


def own_functions(execute: Callable[..., Any], sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
    """For `connection.execute_wrapper`: calls the session's own functions, which PostgreSQL finds by their schema alone."""
    for function in _FUNCTIONS:
        sql = sql.replace(f"SELECT {function}(", f"SELECT pg_temp.{function}(")
    return execute(sql, params, many, context)


def check() -> None:
    """Raises NotScratch unless every table of `pki` is the session's own, and everything else is read only."""
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
