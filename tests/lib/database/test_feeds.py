"""A row whose transaction commits late is delayed in the feed and never lost."""

import psycopg2
import pytest
from django.db import connection

from pki.models import Event
from siths_portal.lib.database import feeds

pytestmark = pytest.mark.django_db(transaction=True)


def record(name):
    return Event.record(actor_ref="system:test", action="thing.done", subject_type="thing", subject_ref=name)


def poll(position):
    rows = list(feeds.after(Event.objects.all(), position))
    return [row.subject_ref for row in rows], feeds.cursor_of(rows[-1]) if rows else position


@pytest.fixture
def other_transaction():
    parameters = connection.get_connection_params()
    keys = ("dbname", "user", "host")
    with psycopg2.connect(**{key: parameters[key] for key in keys}) as other:
        yield other
    other.close()


def insert_in(other, name):
    with other.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pki_event (xid, at, actor_ref, action, subject_type, subject_ref, facts) "
            "VALUES (pg_current_xact_id()::text::bigint, now(), 'system:test', 'thing.done', 'thing', %s, '{}') RETURNING id",
            [name],
        )
        return cursor.fetchone()[0]


def test_a_late_commit_is_not_lost(other_transaction):
    record("before")
    seen, position = poll(feeds.START)
    assert seen == ["before"]

    late = insert_in(other_transaction, "late")
    overtaking = record("overtaking")
    assert overtaking.id > late
    # A reader that remembers the highest id would take `overtaking` now, and then never see `late`.
    assert list(Event.objects.filter(id__gt=position.id).values_list("subject_ref", flat=True)) == ["overtaking"]
    seen, position = poll(position)
    assert seen == []

    other_transaction.commit()
    seen, position = poll(position)
    assert seen == ["late", "overtaking"]
    assert poll(position) == ([], position)


def test_a_rolled_back_transaction_holds_nothing_back(other_transaction):
    insert_in(other_transaction, "never")
    record("after")
    assert poll(feeds.START)[0] == []
    other_transaction.rollback()
    assert poll(feeds.START)[0] == ["after"]


def test_rows_of_one_transaction_can_be_read_in_parts():
    from django.db import transaction

    with transaction.atomic():
        for name in "abc":
            record(name)
    first = feeds.after(Event.objects.all(), feeds.START)[:2]
    position = feeds.cursor_of(list(first)[-1])
    assert poll(position)[0] == ["c"]
