"""What the database refuses although somebody writes past the services: revival, rebinding, changes of what was signed."""

import uuid
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from issuance.authz import system
from issuance.carriers.models import Carrier, Eid, Receipt
from issuance.imports.services import migration
from issuance.receipt_texts.services import set_receipt_text
from issuance.records.models.events import Document
from siths_portal.lib import clock
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.world import SETUP

pytestmark = pytest.mark.usefixtures("authorities")
FINAL = ["revoked", "expired", "cancelled"]


def card_in(world: Any, state: str) -> Carrier:
    carrier = migration.register_migrated_card(actor=system("migration"), card=migrated_card(world.post()), ca=CA)
    Eid.objects.update(state=state)
    Carrier.objects.update(state=state)
    return carrier


@pytest.mark.parametrize("model", [Carrier, Eid])
@pytest.mark.parametrize("state", FINAL)
@pytest.mark.parametrize("to", ["active", "ordered", *FINAL])
def test_nothing_leaves_a_final_state(world: Any, model: Any, state: str, to: str) -> None:
    card_in(world, state)
    if to == state:
        assert model.objects.update(state=to) == 1
        return
    with pytest.raises(DatabaseError, match="is final"), transaction.atomic():
        model.objects.update(state=to)
    assert model.objects.get().state == state


def test_a_card_keeps_its_serial(world: Any) -> None:
    carrier = card_in(world, "active")
    for serial in ("9752" + "1" * 15, ""):
        with pytest.raises(DatabaseError, match="set once"), transaction.atomic():
            Carrier.objects.update(card_serial=serial)
    assert Carrier.objects.update(card_serial=carrier.card_serial, mifare_id="1") == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE issuance_receipt SET terms_version = '9'",
        "UPDATE issuance_receipt SET content = '{\"a\": 1}'",
        "DELETE FROM issuance_receipt",
        "TRUNCATE issuance_receipt CASCADE",
        "UPDATE issuance_receipttext SET regional_addition = 'x'",
        "DELETE FROM issuance_receipttext",
        "TRUNCATE issuance_receipttext CASCADE",
    ],
)
def test_what_was_signed_stays(world: Any, statement: str) -> None:
    text = set_receipt_text(actor=SETUP, organisation_id=world.region.id, regional_addition="Tillägg")
    Receipt.objects.create(
        document=Document.store(b"receipt", "text/plain"), receipt_text=text, terms_version="1", identity_document="passport",
        officer_ref="user:1", signature_certificate_id=uuid.uuid4(), signed_at=clock.now(), content={}, content_sha256="0" * 64,
        terms=Document.store(b"Villkor", "text/plain"),
    )  # fmt: skip
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    assert Receipt.objects.get().receipt_text.regional_addition == "Tillägg"
