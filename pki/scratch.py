"""A database in which nothing can be left behind: a session whose own empty tables stand before those of `pki` (ADR 0127).

The session is read only from its first moment, by `PGOPTIONS`, and PostgreSQL lets a read-only transaction write temporary tables
alone: a statement that met another table would be refused, and all of it ends with the session.
"""

from django.apps import apps
from django.db import connection, transaction

from pki import ocsp

READ_ONLY = "-c default_transaction_read_only=on"
"""What `PGOPTIONS` must hold in the environment of the process."""


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
        ocsp.make_piece(cursor)
    check()


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
