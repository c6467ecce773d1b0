"""The audit tables of issuance take inserts alone, from the application and from a superuser's connection alike."""

import pytest
from django.db import DatabaseError, connection, transaction

from issuance.records.models.events import Document, Event

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE issuance_event SET action = 'x.y'",
        "DELETE FROM issuance_event",
        "TRUNCATE issuance_event",
        "UPDATE issuance_document SET media_type = 'x'",
        "DELETE FROM issuance_document",
        "DELETE FROM issuance_eventseal",
    ],
)
def test_application_cannot_change_what_was_written(statement: str) -> None:
    Event.record(actor_ref="system:setup", action="office.created", subject_type="office", subject_ref="1")
    Document.store(b"bytes", "text/plain")
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Event.objects.count() == 1
    assert bytes(Document.objects.get().content) == b"bytes"
