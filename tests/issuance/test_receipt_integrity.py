"""A receipt or document that somebody changed in the database is neither served nor passed over by `audit_verify`."""

import re
from typing import Any

import pytest

from issuance.models import Receipt
from issuance.queries import receipt_view
from siths_portal import chains
from siths_portal.lib.errors import Conflict
from tests import superuser
from tests.issuance.activated import Made, activated_card
from tests.lib.audit_world import verify

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
