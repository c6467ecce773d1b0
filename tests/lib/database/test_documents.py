"""Documents: the same bytes once, in the record's transaction, never changed."""

import hashlib
import threading

import pytest
from django.apps import apps
from django.db import ProgrammingError, connection, transaction

from siths_portal.lib.database import documents
from siths_portal.lib.errors import Conflict
from tests import superuser

pytestmark = pytest.mark.django_db(transaction=True)

MODELS = ("issuance", "billing")


@pytest.mark.parametrize("app", MODELS)
def test_the_same_bytes_are_stored_once(app: str) -> None:
    model = apps.get_model(app, "Document")
    first = model.store(b"%PDF-1.7 \x00\xff", "application/pdf")
    again = model.store(b"%PDF-1.7 \x00\xff", "text/plain")
    other = model.store(b"", "application/pdf")
    assert first.pk == again.pk == hashlib.sha256(b"%PDF-1.7 \x00\xff").hexdigest()
    assert (again.media_type, again.size, bytes(again.content)) == ("application/pdf", 11, b"%PDF-1.7 \x00\xff")
    assert (other.size, bytes(other.content)) == (0, b"")
    assert model.objects.count() == 2


@pytest.mark.parametrize("app", MODELS)
def test_a_document_goes_with_its_record(app: str) -> None:
    model = apps.get_model(app, "Document")
    with transaction.atomic():
        model.store(b"abc", "text/plain")
        transaction.set_rollback(True)
    assert not model.objects.exists()


@pytest.mark.parametrize("app", MODELS)
def test_two_writers_of_the_same_bytes_both_get_the_row(app: str) -> None:
    model = apps.get_model(app, "Document")
    barrier = threading.Barrier(4)
    found: list[str] = []

    def write() -> None:
        try:
            barrier.wait(60)
            with transaction.atomic():
                found.append(model.store(b"same", "text/plain").pk)
        finally:
            connection.close()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [hashlib.sha256(b"same").hexdigest()] * 4
    assert model.objects.count() == 1


@pytest.mark.parametrize("app", MODELS)
@pytest.mark.parametrize("statement", ["UPDATE {table} SET content = ''", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"])
def test_a_document_cannot_be_changed(app: str, statement: str) -> None:
    model = apps.get_model(app, "Document")
    model.store(b"abc", "text/plain")
    with connection.cursor() as cursor, pytest.raises(ProgrammingError, match="permission denied"):
        cursor.execute(statement.format(table=model._meta.db_table))


@pytest.mark.parametrize("app", MODELS)
def test_bytes_that_do_not_match_their_hash_are_not_read_and_are_found(app: str) -> None:
    model = apps.get_model(app, "Document")
    rows = [model.store(str(number).encode(), "text/plain") for number in range(3)]
    assert list(documents.altered(model)) == [(3, [])]
    with superuser.cursor() as cursor:
        cursor.execute(f"UPDATE {model._meta.db_table} SET content = 'x' WHERE sha256 = %s", [rows[1].pk])
    assert [row.read() for row in (rows[0], rows[2])] == [b"0", b"2"]
    with pytest.raises(Conflict, match="document-altered"):
        model.objects.get(pk=rows[1].pk).read()
    assert list(documents.altered(model)) == [(3, [rows[1].pk])]
