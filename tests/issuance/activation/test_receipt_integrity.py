"""A receipt or document that somebody changed in the database is neither served nor passed over by `audit_verify`."""

import json
import re
from typing import Any

import pytest

from issuance.activation.queries import receipt_view
from issuance.carriers.models import Receipt
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict
from siths_portal.wiring import chains
from tests import superuser
from tests.issuance.activated import Made, activated_card
from tests.lib.audit.audit_world import verify

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_pki")]

CHANGES = {
    "a byte of the signed PDF": (
        "UPDATE issuance_document SET content = set_byte(content, 100, get_byte(content, 100) # 1)"
        " WHERE media_type = 'application/pdf'",
        r"dokument \(issuance\)",
    ),
    "the holder's name on the page": (
        """UPDATE issuance_receipt SET content = jsonb_set(content, '{holder,name}', '"Någon Annan"')""",
        "kvittenser",
    ),
    "the PDF together with its address": (
        "WITH forged AS (INSERT INTO issuance_document SELECT encode(sha256('x'), 'hex'), media_type, 1, 'x', created_at"
        " FROM issuance_document LIMIT 1 RETURNING sha256) UPDATE issuance_receipt SET document_id = (SELECT sha256 FROM forged)",
        "kvittenser",
    ),
    "the document that was shown": ("UPDATE issuance_receipt SET identity_document = 'passport'", "kvittenser"),
    "the time of the signature": ("UPDATE issuance_receipt SET signed_at = signed_at - interval '1 day'", "kvittenser"),
    "the clerk": ("UPDATE issuance_receipt SET officer_ref = 'not a reference'", "kvittenser"),
    "the version of the terms": ("UPDATE issuance_receipt SET terms_version = '0'", "kvittenser"),
    "the identification's document": ("UPDATE issuance_identification SET identity_document = 'passport'", "identifieringar"),
    "the identification's clerk": ("UPDATE issuance_identification SET officer_ref = 'user:x'", "identifieringar"),
    "the identification's time": ("UPDATE issuance_identification SET at = at - interval '1 day'", "identifieringar"),
    "a withdrawal that nobody made": (
        "INSERT INTO issuance_identificationwithdrawal SELECT id, officer_ref, 'Fel person', at FROM issuance_identification",
        "identifieringar",
    ),
    "the receipt is gone": ("DELETE FROM issuance_receipt", "kvittenser"),
}


@pytest.fixture
def made(world: Any) -> Made:
    made = activated_card(world)
    chains.seal_all()
    return made


def test_untouched_receipts_and_documents_agree(world: Any, made: Made) -> None:
    printed, _ = verify("--app", "issuance")
    assert "kvittenser: 1 kvittenser stämmer med händelser" in printed
    assert "identifieringar: 1 identifieringar stämmer med händelserna" in printed
    assert re.search(r"dokument \(issuance\): \d+ dokument stämmer", printed)
    assert receipt_view.receipt_document(actor=world.officer(), carrier_id=made.carrier.pk).content.startswith(b"%PDF")


@pytest.mark.parametrize("change", CHANGES)
def test_audit_verify_names_a_change(made: Made, change: str) -> None:
    statement, label = CHANGES[change]
    receipt = str(Receipt.objects.get().pk)
    with superuser.cursor() as cursor:
        cursor.execute(statement)
    printed, status = verify("--app", "issuance")
    assert status == 1
    assert re.search(rf"^{label}: FEL: ", printed, re.M), printed
    if label == "kvittenser":
        assert receipt in printed


@pytest.mark.parametrize(("change", "code"), zip(list(CHANGES)[:2], ["document-altered", "receipt-altered"], strict=True))
def test_a_changed_receipt_is_not_served(world: Any, made: Made, change: str, code: str) -> None:
    with superuser.cursor() as cursor:
        cursor.execute(CHANGES[change][0])
    with pytest.raises(Conflict, match=code):
        receipt_view.receipt_document(actor=world.officer(), carrier_id=made.carrier.pk)


def test_the_page_shows_what_was_signed_and_not_the_columns(world: Any, made: Made) -> None:
    before = receipt_view.receipt_view(actor=world.officer(), carrier_id=made.carrier.pk)
    with superuser.cursor() as cursor:
        for change in ("the document that was shown", "the time of the signature", "the clerk", "the version of the terms"):
            cursor.execute(CHANGES[change][0])
    assert receipt_view.receipt_view(actor=world.officer(), carrier_id=made.carrier.pk) == before
    assert receipt_view.receipt_document(actor=world.officer(), carrier_id=made.carrier.pk).content.startswith(b"%PDF")


def test_a_receipt_whose_fields_and_hash_were_changed_together_is_not_shown(world: Any, made: Made) -> None:
    receipt = Receipt.objects.get()
    content = receipt.content | {"holder": receipt.content["holder"] | {"name": "Någon Annan"}}
    with superuser.cursor() as cursor:
        changed = [json.dumps(content), sha256_hex(canonical_json(content))]
        cursor.execute("UPDATE issuance_receipt SET content = %s, content_sha256 = %s", changed)
    with pytest.raises(Conflict, match="receipt-altered"):
        receipt_view.receipt_view(actor=world.officer(), carrier_id=made.carrier.pk)
