"""Audit chains for tests, and somebody who gets past every right and trigger of the database."""

import contextlib
import io

import psycopg2
from django.core.management import CommandError, call_command
from django.db import connection

from pki.models import Event
from siths_portal.lib.audit import anchors, seals
from tests.first_rows import first_rows

COLUMNS = "id, xid, at, actor_ref, action, subject_type, subject_ref, subject_seq, facts"


def record(count, model=Event):
    for number in range(count):
        model.record(
            actor_ref="system:test", action="thing.done", subject_type="thing", subject_ref=str(number), facts={"n": number}
        )


def verify(*arguments):
    """What `audit_verify` prints, and its exit status."""
    out = io.StringIO()
    try:
        call_command("audit_verify", *arguments, stdout=out, stderr=out)
    except CommandError as error:
        return f"{out.getvalue()}{error}\n", error.returncode
    return out.getvalue(), 0


def first_chain(name, make):
    """The rows that `make` leaves, and the files about the chains, from the second time on as copies (`first_rows`)."""

    def made():
        make()
        return {path.name: (path.stat().st_mode, path.read_bytes()) for path in _files()}

    for file, (mode, content) in first_rows(name, "", made).items():
        path = anchors.folder() / file
        path.write_bytes(content)
        path.chmod(mode)


def _files():
    return anchors.folder().glob(f"{connection.settings_dict['NAME']}.*")


@contextlib.contextmanager
def superuser():
    host = connection.settings_dict["OPTIONS"]["host"]
    attacker = psycopg2.connect(dbname=connection.settings_dict["NAME"], user="postgres", host=host)
    with attacker, attacker.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield cursor
    attacker.close()


class Attacker:
    """A superuser who knows how the chain is made. Seals are named by number; the chain is that of `pki`."""

    def __init__(self, cursor):
        self.cursor = cursor

    def sql(self, statement, *values):
        self.cursor.execute(statement, values)

    def event_of(self, seq):
        self.sql("SELECT event_id FROM pki_eventseal WHERE seq = %s", seq)
        return self.cursor.fetchone()[0]

    def edit(self, seq, change="facts = '{\"n\": 99}'"):
        self.sql(f"UPDATE pki_event SET {change} WHERE id = %s", self.event_of(seq))

    def remove_event(self, seq):
        self.sql("DELETE FROM pki_event WHERE id = %s", self.event_of(seq))

    def remove_seal(self, seq):
        self.sql("DELETE FROM pki_eventseal WHERE seq = %s", seq)

    def renumber(self, beyond, step):
        """Moves the seals after `beyond` up or down."""
        self.sql("UPDATE pki_eventseal SET seq = -seq WHERE seq > %s", beyond)
        self.sql("UPDATE pki_eventseal SET seq = -seq + %s WHERE seq < 0", step)

    def insert_event(self, after):
        """A forged event that stands right after the one of this seal; returns its id."""
        self.sql(
            "INSERT INTO pki_event (xid, at, actor_ref, action, subject_type, subject_ref, facts) SELECT xid, at, 'user:forged', "
            "action, subject_type, 'forged', '{}' FROM pki_event WHERE id = %s RETURNING id",
            self.event_of(after),
        )
        return self.cursor.fetchone()[0]

    def insert_seal(self, seq, event_id):
        self.sql(
            "INSERT INTO pki_eventseal (seq, event_id, event_xid, digest) SELECT %s, id, xid, '' FROM pki_event WHERE id = %s",
            seq,
            event_id,
        )

    def swap_events(self, one, other):
        """What the two seals' events hold changes places."""
        first, second = self.event_of(one), self.event_of(other)
        fields = "at, actor_ref, action, subject_type, subject_ref, facts"
        pairs = ", ".join(f"{name} = b.{name}" for name in fields.split(", "))
        self.sql("CREATE TEMP TABLE kept AS SELECT * FROM pki_event WHERE id IN (%s, %s)", first, second)
        for into, source in ((first, second), (second, first)):
            self.sql(f"UPDATE pki_event a SET {pairs} FROM kept b WHERE a.id = %s AND b.id = %s", into, source)

    def swap_seals(self, one, other):
        """The two seals name each other's event."""
        first, second = self.event_of(one), self.event_of(other)
        self.sql("UPDATE pki_eventseal SET event_id = -1 WHERE seq = %s", one)
        self.sql("UPDATE pki_eventseal SET event_id = %s WHERE seq = %s", first, other)
        self.sql("UPDATE pki_eventseal SET event_id = %s WHERE seq = %s", second, one)

    def recompute(self, start=1):
        """All digests from this seal on, by the same rule as the sealing job's."""
        self.sql("SELECT digest FROM pki_eventseal WHERE seq = %s", start - 1)
        found = self.cursor.fetchone()
        digest = bytes(found[0]) if found else seals.GENESIS
        names = ", ".join(f"e.{name}" for name in COLUMNS.split(", "))
        self.sql(
            f"SELECT s.seq, {names} FROM pki_eventseal s JOIN pki_event e ON e.id = s.event_id WHERE s.seq >= %s ORDER BY s.seq",
            start,
        )
        for seq, *values in self.cursor.fetchall():
            event = Event(**dict(zip(COLUMNS.split(", "), values, strict=True)))
            digest = seals.link(digest, event)
            self.sql(
                "UPDATE pki_eventseal SET digest = %s, event_xid = %s, event_id = %s WHERE seq = %s",
                digest,
                event.xid,
                event.id,
                seq,
            )

    def cut(self, beyond):
        """Events, seals and MACs after this seal are gone, as if they had never been."""
        self.sql("DELETE FROM pki_event WHERE id IN (SELECT event_id FROM pki_eventseal WHERE seq > %s)", beyond)
        self.sql("DELETE FROM pki_eventseal WHERE seq > %s", beyond)
        self.sql("DELETE FROM pki_eventmacs WHERE first > %s", beyond)
        self.sql(
            "UPDATE pki_eventmacs SET last = %s, macs = substr(macs, 1, (32 * (%s - first + 1))::int) WHERE last > %s",
            beyond,
            beyond,
            beyond,
        )


@contextlib.contextmanager
def attacker():
    with superuser() as cursor:
        yield Attacker(cursor)
