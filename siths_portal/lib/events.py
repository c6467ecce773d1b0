"""Append-only event tables: who did what and when. An event is inserted in the transaction of the change that it records.

Two mechanisms refuse UPDATE, DELETE and TRUNCATE: a trigger, and missing privileges of the application's roles.
"""

import datetime as dt
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import connection, models
from django.db.migrations.operations import RunSQL

from siths_portal.lib import clock
from siths_portal.lib.database import bulk
from siths_portal.lib.database.operations import RunStatements


class CurrentTransactionId(models.Func):
    """The 64-bit number of the running transaction (PostgreSQL `pg_current_xact_id()`), as bigint."""

    template = "(pg_current_xact_id()::text::bigint)"
    output_field: "ClassVar[models.Field[Any, Any]]" = models.BigIntegerField()


NEWEST_FIRST = (models.F("id") + 0).desc()
"""An order for the few events of one subject. It is an expression, so that PostgreSQL finds them by the index on the subject and
then sorts, instead of scanning the primary key."""


_RECORDED = ("at", "actor_ref", "action", "subject_type", "subject_ref", "subject_seq", "facts")


@cache
def _insertion(table: str) -> str:
    columns, places = ", ".join(_RECORDED), ", ".join(["%s"] * len(_RECORDED))
    return f"INSERT INTO {table} ({columns}) VALUES ({places}) RETURNING id, xid"  # noqa: S608  (names of our own)


class AppendOnlyEvent(models.Model):
    """Base of each application's event table.

    `actor_ref` is the actor (`user:<id>`, `client:<ref>`, `system:<rule>`); `action` is noun.past; `subject_type` and
    `subject_ref` identify the subject. `subject_seq`, if set, numbers the subject's events from 1, so each step has one event.
    `facts` holds the details that explain the action later. `xid` orders the events as a feed (see `feeds`).
    """

    id = models.BigAutoField(primary_key=True)
    xid = models.BigIntegerField(db_default=CurrentTransactionId(), editable=False)
    at = models.DateTimeField()
    actor_ref = models.CharField(max_length=200)
    action = models.CharField(max_length=80)
    subject_type = models.CharField(max_length=40)
    subject_ref = models.CharField(max_length=80)
    subject_seq = models.PositiveIntegerField(null=True)
    facts = models.JSONField(default=dict)

    class Meta:
        abstract = True
        indexes = [
            models.Index(fields=["xid", "id"], name="%(app_label)s_event_feed"),
            models.Index(fields=["subject_type", "subject_ref", "id"], name="%(app_label)s_event_subject"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["subject_type", "subject_ref", "subject_seq"], name="%(app_label)s_event_one_per_step"
            )
        ]

    @classmethod
    def record(
        cls,
        *,
        actor_ref: str,
        action: str,
        subject_type: str,
        subject_ref: str,
        subject_seq: int | None = None,
        facts: dict[str, Any] | None = None,
    ) -> Self:
        """Inserts one event with the present time, in the caller's transaction."""
        row = cls(
            at=clock.now(),
            actor_ref=actor_ref,
            action=action,
            subject_type=subject_type,
            subject_ref=subject_ref,
            subject_seq=subject_seq,
            facts=facts or {},
        )
        # By a fixed statement: nearly every request records an event, and the mapper would build the same SQL each time.
        with connection.cursor() as cursor:
            fields = {field.name: field for field in cls._meta.concrete_fields}
            values = [fields[name].get_db_prep_save(getattr(row, name), connection) for name in _RECORDED]
            cursor.execute(_insertion(cls._meta.db_table), values)
            row.id, row.xid = cursor.fetchone()
        row._state.adding, row._state.db = False, connection.alias
        return row

    @classmethod
    def record_each(
        cls, subjects: Iterable[tuple[str, dict[str, Any]]], *, at: dt.datetime, actor_ref: str, action: str, subject_type: str
    ) -> int:
        """Inserts one event for each pair of subject reference and facts, in the caller's transaction. Returns how many."""
        rows = ((at, actor_ref, action, subject_type, reference, facts) for reference, facts in subjects)
        return bulk.insert_values(cls, ("at", "actor_ref", "action", "subject_type", "subject_ref", "facts"), rows)

    def canonical(self) -> dict[str, Any]:
        """Returns the values that the audit chain covers."""
        return {
            "id": self.id,
            "xid": self.xid,
            "at": self.at,
            "actor_ref": self.actor_ref,
            "action": self.action,
            "subject_type": self.subject_type,
            "subject_ref": self.subject_ref,
            "subject_seq": self.subject_seq,
            "facts": self.facts,
        }


def application_roles() -> list[str]:
    """Returns the database roles of the running processes. None of them owns a table."""
    return sorted(settings.DATABASE_ROLES.values())


def kept(table: str) -> list[RunSQL | RunStatements]:
    """Returns migration operations that prevent deletion of rows of `table`, by triggers and revoked privileges.

    Rows may be updated; the events record the old values.
    """
    # The table's name comes from a migration, never from input.
    trigger = RunSQL(
        sql=f"""
        CREATE OR REPLACE FUNCTION refuse_removal() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'rows of % are kept', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'; END $$;
        CREATE TRIGGER {table}_kept BEFORE DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_removal();
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_removal();
        """,
        reverse_sql=f"DROP TRIGGER {table}_kept ON {table}; DROP TRIGGER {table}_no_truncate ON {table};",
    )

    def revoke(_apps: Any, schema_editor: Any) -> None:
        for role in map(schema_editor.quote_name, application_roles()):
            schema_editor.execute(f"REVOKE DELETE, TRUNCATE ON {table} FROM {role}")

    def grant(_apps: Any, schema_editor: Any) -> None:
        for role in map(schema_editor.quote_name, application_roles()):
            schema_editor.execute(f"GRANT DELETE ON {table} TO {role}")

    return [trigger, RunStatements(revoke, grant)]


def append_only(table: str) -> list[RunSQL | RunStatements]:
    """Returns migration operations that make `table` insert-only, by triggers and revoked privileges."""
    # The table's name comes from a migration, never from input.
    trigger = RunSQL(
        sql=f"""
        CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'table % is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege'; END $$;
        CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION refuse_change();
        CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
        """,
        reverse_sql=f"DROP TRIGGER {table}_append_only ON {table}; DROP TRIGGER {table}_no_truncate ON {table};",
    )

    def revoke(_apps: Any, schema_editor: Any) -> None:
        role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
        schema_editor.execute(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM {role}")

    def grant(_apps: Any, schema_editor: Any) -> None:
        role = schema_editor.quote_name(settings.DATABASE_APP_ROLE)
        schema_editor.execute(f"GRANT UPDATE, DELETE ON {table} TO {role}")

    return [trigger, RunStatements(revoke, grant)]
