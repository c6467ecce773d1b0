"""F08: PostgreSQL has no room for a signed receipt. The card does not become active, and signing again makes one receipt."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError

from issuance.carriers.models import Receipt
from tests.faults.tally import Tally
from tests.issuance.activation.test_activation_app import ready_to_sign
from tests.pki_fixtures import tampering

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_pki")]
DISK_FULL = """
CREATE FUNCTION test_disk_full() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER test_disk_full BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION test_disk_full();
"""
ROOM_AGAIN = "DROP FUNCTION IF EXISTS test_disk_full CASCADE"


@pytest.fixture
def no_room_for_receipts() -> Iterator[None]:
    """The database refuses receipts as it does when its disk is full, until `make_room`."""
    with tampering() as cursor:
        cursor.execute(ROOM_AGAIN + ";" + DISK_FULL.format(table=Receipt._meta.db_table))
    yield
    make_room()


def make_room() -> None:
    with tampering() as cursor:
        cursor.execute(ROOM_AGAIN)


def test_a_receipt_without_room_activates_no_card(world: Any, no_room_for_receipts: None, tally: Tally) -> None:
    made, app = ready_to_sign(world)
    with pytest.raises(OperationalError, match="could not extend file"):
        app.complete()
    assert (made.fresh().state, Receipt.objects.count()) == ("activated_unsigned", 0)
    make_room()
    app.complete()
    assert made.fresh().state == "active"
    tally.run([made.carrier.pk], Receipt.objects.values_list("carrier__pk", flat=True), "signed receipts")
