"""The audit chains: what a superuser does to events or seals behind the triggers' back is found and named."""

import datetime as dt
import threading

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from pki.models import Event, EventMacs, EventSeal
from siths_portal import tasks
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock
from siths_portal.lib.audit import seals, verification
from siths_portal.wiring import chains
from tests.lib.audit.audit_world import record, superuser, verify

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sealed():
    """Ten sealed events of pki."""
    record(10)
    tasks.seal()
    assert EventSeal.objects.count() == 10
    return list(EventSeal.objects.order_by("seq"))


def test_an_untouched_chain_stands(sealed):
    record(3)
    text, code = verify()
    assert code == 0
    assert "pki: 10 sigill stämmer, 0 styrkta av HSM, 10 väntar på MAC, 3 händelser väntar på sigill" in text
    tasks.seal()
    text, code = verify("--app", "pki")
    assert code == 0
    assert "pki: 13 sigill stämmer, 0 styrkta av HSM, 13 väntar på MAC, ingen händelse väntar på sigill\n" in text
    assert verify("--app", "pki", "--from", "12")[0].startswith("pki: 2 sigill stämmer")


def test_the_tail_has_an_age():
    now = clock.now()
    with clock.moved_to(now - dt.timedelta(seconds=90)):
        record(2)
    with clock.moved_to(now):
        text, code = verify("--app", "pki")
    assert code == 0
    assert "sedan 90 s" in text


def test_every_application_with_events_is_walked():
    assert [chain.app for chain in chains.all_chains()] == sorted(
        label for label in ("authn", "billing", "issuance", "pki") if _has_events(label)
    )
    assert "pki" in verify()[0]


def _has_events(label):
    from django.apps import apps

    return any(model.__name__ == "Event" for model in apps.get_app_config(label).get_models())


@pytest.mark.parametrize(
    "change",
    [
        "facts = '{\"n\": 99}'",
        "actor_ref = 'user:other'",
        "at = at - interval '1 microsecond'",
        "action = 'thing.undone'",
        "subject_ref = '77'",
        "subject_seq = 4",
    ],
)
def test_an_edited_event_is_named(sealed, change):
    with superuser() as cursor:
        cursor.execute(f"UPDATE pki_event SET {change} WHERE id = %s", [sealed[4].event_id])
    text, code = verify()
    assert code == 1
    assert f"pki: FEL vid sigill 5: händelse {sealed[4].event_id} eller dess sigill är ändrat (4 sigill stämmer)" in text


def test_a_deleted_event_is_named(sealed):
    with superuser() as cursor:
        cursor.execute("DELETE FROM pki_event WHERE id = %s", [sealed[2].event_id])
    text, code = verify()
    assert (code, f"FEL vid sigill 3: händelse {sealed[2].event_id} saknas" in text) == (1, True)
    text, code = verify("--from", "6")
    assert (code, "FEL vid sigill 3: färre händelser än sigill" in text) == (1, True)


def test_an_inserted_event_is_named(sealed):
    with superuser() as cursor:
        cursor.execute(
            "INSERT INTO pki_event (xid, at, actor_ref, action, subject_type, subject_ref, facts) "
            "SELECT xid, at, 'user:forged', action, subject_type, 'forged', '{}' FROM pki_event WHERE id = %s RETURNING id",
            [sealed[5].event_id],
        )
        forged = cursor.fetchone()[0]
    text, code = verify()
    assert (code, f"FEL vid sigill 7: händelse {forged} är inskjuten före kedjans slut" in text) == (1, True)


def test_swapped_seals_are_named(sealed):
    with superuser() as cursor:
        cursor.execute("UPDATE pki_eventseal SET event_id = -1 WHERE seq = 3")
        cursor.execute("UPDATE pki_eventseal SET event_id = %s WHERE seq = 4", [sealed[2].event_id])
        cursor.execute("UPDATE pki_eventseal SET event_id = %s WHERE seq = 3", [sealed[3].event_id])
    text, code = verify()
    assert (code, "pki: FEL vid sigill 3: " in text) == (1, True)


def test_a_deleted_seal_is_named(sealed):
    with superuser() as cursor:
        cursor.execute("DELETE FROM pki_eventseal WHERE seq = 6")
    text, code = verify()
    assert (code, "pki: FEL vid sigill 6: sigillet saknas" in text) == (1, True)


@pytest.mark.parametrize(("statement", "named"), [("TRUNCATE pki_eventseal", 1), ("DELETE FROM pki_eventseal WHERE seq > 7", 8)])
def test_a_truncated_chain_is_named_and_stays_so(sealed, statement, named):
    with superuser() as cursor:
        cursor.execute(statement)
    text, code = verify()
    assert (code, f"pki: FEL vid sigill {named}: sigill saknas fram till nummer 10" in text) == (1, True)
    tasks.seal()  # the job does not mend what it did not break
    assert verify()[1] == 1
    assert EventSeal.objects.count() == named - 1


def test_truncated_events_are_named(sealed):
    with superuser() as cursor:
        cursor.execute("TRUNCATE pki_event")
    text, code = verify()
    assert (code, f"pki: FEL vid sigill 1: händelse {sealed[0].event_id} saknas" in text) == (1, True)


def test_a_chain_computed_anew_is_named(sealed):
    """Who edits an event and all digests after it still does not reach the anchor outside the database."""
    with superuser() as cursor:
        cursor.execute("UPDATE pki_event SET actor_ref = 'user:other' WHERE id = %s", [sealed[4].event_id])
        digest = bytes(sealed[3].digest)
        for row in sealed[4:]:
            digest = seals.link(digest, _as_edited(row.event_id, sealed[4].event_id))
            cursor.execute("UPDATE pki_eventseal SET digest = %s WHERE seq = %s", [digest, row.seq])
    assert verification.verify(verification.Tables("pki", Event, EventSeal, EventMacs)).ok
    text, code = verify()
    assert (code, "pki: FEL vid sigill 10: sigillet är inte det som ankrades" in text) == (1, True)


def _as_edited(event_id, edited_id):
    event = Event.objects.get(id=event_id)
    if event_id == edited_id:
        event.actor_ref = "user:other"
    return event


def test_a_damaged_anchor_is_named(sealed, settings):
    (anchor,) = settings.AUDIT_ANCHOR_DIR.glob("*.pki.json")
    anchor.write_text("{}")
    text, code = verify()
    assert (code, "ankaret utanför databasen går inte att läsa" in text) == (1, True)


def test_an_open_transaction_delays_sealing_and_loses_nothing():
    held, release = threading.Event(), threading.Event()

    def slow():
        with transaction.atomic():
            record(1)
            held.set()
            release.wait(150)
        connection.close()

    thread = threading.Thread(target=slow)
    thread.start()
    assert held.wait(150)
    record(2)
    assert chains.seal_all() == 0
    release.set()
    thread.join()
    assert chains.seal_all() == 3
    assert verify()[1] == 0


def test_two_sealing_jobs_at_once_make_one_chain():
    record(40)
    done = []

    def run():
        for _ in range(5):
            done.append(seals.seal(Event, EventSeal, batch=7))
        connection.close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert sum(done) == 40
    assert verify("--app", "pki")[0].startswith("pki: 40 sigill stämmer")


@pytest.mark.parametrize("arguments", [("--app", "nosuch"), ("--from", "0"), ("--from", "x")])
def test_wrong_use(arguments):
    with pytest.raises(CommandError) as error:
        call_command("audit_verify", *arguments)
    if arguments[0] == "--app":
        assert error.value.returncode == 2


def test_the_sealing_task_is_scheduled():
    assert SCHEDULE["audit.seal"] == ("audit.seal", 5, "default")
    assert tasks.seal.name == "audit.seal"
