"""Event tables only grow: neither the application's role nor, because of triggers, their owner can change what is written."""

import datetime as dt
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from django.apps import apps
from django.db import DatabaseError, IntegrityError, ProgrammingError, connection, transaction

from siths_portal.dev.private_services import OWNER_ROLE
from siths_portal.lib import clock, events

APPS = ("authn", "billing", "issuance", "pki")
STATEMENTS = ("UPDATE {table} SET at = now()", "DELETE FROM {table}", "TRUNCATE {table} CASCADE")

pytestmark = pytest.mark.django_db(transaction=True)


def record(app: str, **values: Any) -> Any:
    facts = {"actor_ref": "system:test", "action": "thing.done", "subject_type": "thing", "subject_ref": "1"}
    return apps.get_model(app, "Event").record(**facts | values)


@pytest.fixture
def as_role() -> Callable[[str, str], None]:
    """Runs one statement in a connection of the role's own."""

    def run(role: str, statement: str) -> None:
        options = connection.settings_dict
        with closing(psycopg2.connect(dbname=options["NAME"], user=role, host=options["OPTIONS"]["host"])) as own:
            own.autocommit = True
            with own.cursor() as cursor:
                cursor.execute(statement)

    return run


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_the_application_cannot_change_events(app: str, statement: str) -> None:
    event = record(app)
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute(statement.format(table=event._meta.db_table))
    assert apps.get_model(app, "Event").objects.get().canonical() == event.canonical()


@pytest.mark.parametrize("app", APPS)
def test_nor_through_the_models(app: str) -> None:
    event = record(app)
    model = apps.get_model(app, "Event")
    event.action = "thing.undone"
    for change in (
        event.save,
        lambda: model.objects.update(action="x"),
        lambda: model.objects.filter(pk=event.pk)._raw_delete("default"),
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
            change()
    assert model.objects.get().action == "thing.done"


@pytest.mark.parametrize("role", [OWNER_ROLE, "postgres"])
@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("statement", STATEMENTS)
def test_nor_can_its_owner_because_of_the_trigger(
    role: str, app: str, statement: str, as_role: Callable[[str, str], None]
) -> None:
    event = record(app)
    with pytest.raises(psycopg2.errors.InsufficientPrivilege, match="is append-only"):
        as_role(role, statement.format(table=event._meta.db_table))
    assert apps.get_model(app, "Event").objects.count() == 1


@pytest.mark.parametrize("app", APPS)
@pytest.mark.parametrize("statement", ["UPDATE {table} SET digest = ''", "DELETE FROM {table}", "TRUNCATE {table}"])
def test_seals_are_as_fast(app: str, statement: str) -> None:
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute(statement.format(table=apps.get_model(app, "EventSeal")._meta.db_table))


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TRIGGER pki_event_append_only ON pki_event",
        "ALTER TABLE pki_event DISABLE TRIGGER ALL",
        "ALTER TABLE pki_event OWNER TO siths_app",
        "GRANT UPDATE ON pki_event TO siths_app",
        "DROP TABLE pki_event",
        "CREATE TABLE mine (id int)",
        "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$",
        "SET session_replication_role = replica",
        "SET ROLE siths_owner",
    ],
)
def test_the_application_cannot_take_the_guard_away(statement: str) -> None:
    with connection.cursor() as cursor:
        if statement.startswith("GRANT"):
            cursor.execute(statement)  # PostgreSQL warns and grants nothing
            cursor.execute("SELECT has_table_privilege('siths_app', 'pki_event', 'UPDATE')")
            assert cursor.fetchone() == (False,)
        else:
            with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
                cursor.execute(statement)


def test_an_event_is_written_with_the_change_or_not_at_all() -> None:
    model = apps.get_model("pki", "Event")
    with transaction.atomic():
        record("pki")
        transaction.set_rollback(True)
    assert not model.objects.exists()


def test_one_step_of_a_thing_has_one_event() -> None:
    record("pki", subject_seq=1)
    record("pki", subject_seq=2)
    record("pki", subject_ref="2", subject_seq=1)
    with pytest.raises(IntegrityError, match="one_per_step"):
        record("pki", subject_seq=1, action="thing.done_again")
    record("pki")
    record("pki")


def test_an_event_carries_the_moment_and_its_transaction() -> None:
    moment = clock.start_of_day(dt.date(2026, 10, 1))
    with clock.moved_to(moment), transaction.atomic():
        first, second = record("pki"), record("pki")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_current_xact_id()::text::bigint")
            (number,) = cursor.fetchone()
    third = record("pki")
    stored = [event.canonical() for event in apps.get_model("pki", "Event").objects.order_by("id")]
    assert [row["xid"] for row in stored[:2]] == [number, number]
    assert stored[2]["xid"] > number
    assert [row["at"] for row in stored[:2]] == [moment, moment]
    assert stored == [first.canonical(), second.canonical(), third.canonical()]


def test_the_operations_can_be_taken_back() -> None:
    trigger, rights = events.append_only("pki_event")
    assert trigger.reversible
    assert rights.reversible
