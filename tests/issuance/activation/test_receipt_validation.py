"""The yearly validation accepts what a relying party accepts, long after the certificates ended, and names what it does not."""

import datetime as dt
import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from prometheus_client import REGISTRY

from issuance.activation.models import ReceiptValidation
from issuance.activation.services import receipt_validation
from issuance.carriers.models import Receipt
from issuance.records.models.events import Event
from pki.models import Certificate
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock
from tests import superuser
from tests.database_roles import acting_as
from tests.issuance.activated import activated_card

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("demo_pki")]
LATER = dt.timedelta(days=3000)
"""After the end of every certificate on a card."""

CHANGES = {
    "document altered or missing": (
        "UPDATE issuance_document SET content = set_byte(content, 100, get_byte(content, 100) # 1)"
        " WHERE media_type = 'application/pdf'"
    ),
    "signature: another signer": (
        "UPDATE issuance_receipt SET signature_certificate_id ="
        " (SELECT id FROM pki_certificate WHERE carrier_ref <> '' AND id <> signature_certificate_id ORDER BY id LIMIT 1)"
    ),
    "certificate revoked before the signature": (
        "UPDATE issuance_receipt SET signed_at = signed_at + interval '1 hour';"
        " UPDATE pki_certificate SET status = 'revoked', held = false, reason = 'keyCompromise', revoked_at = now()"
        " WHERE id IN (SELECT signature_certificate_id FROM issuance_receipt)"
    ),
}


def test_receipts_stay_valid_after_their_certificates_and_are_validated_once_a_year(world: Any) -> None:
    activated_card(world)
    assert Certificate.objects.filter(not_after__gt=clock.now() + LATER, carrier_ref__gt="").count() == 0
    with clock.moved_to(clock.now() + LATER), acting_as("worker"):
        done = receipt_validation.run_due()
        assert done is not None
        assert (done.checked, done.wrong, done.ended_at is not None) == (1, 0, True)
        assert receipt_validation.run_due() is None
        with clock.moved_to(clock.now() + dt.timedelta(days=365)):
            assert receipt_validation.run_due() != done
            receipt_validation.measure()
    assert Event.objects.filter(action="receipts.validated", facts={"checked": 1, "wrong": 0}).count() == 2
    assert REGISTRY.get_sample_value("receipts_not_valid") == 0
    assert SCHEDULE["issuance.validate_receipts"][2] == "default"


@pytest.mark.parametrize("reason", CHANGES)
def test_what_is_not_valid_any_more_is_named(world: Any, tmp_path: Path, reason: str) -> None:
    activated_card(world)
    with superuser.cursor() as cursor:
        cursor.execute(CHANGES[reason])
    receipt, out, report = str(Receipt.objects.get().pk), io.StringIO(), tmp_path / "report.json"
    with pytest.raises(CommandError) as refused:
        call_command("issuance_validate_receipts", "--report", str(report), stdout=out, stderr=io.StringIO())
    assert refused.value.returncode == 1
    assert f"{receipt}: {reason}" in out.getvalue()
    told = json.loads(report.read_bytes())
    assert (told["wrong"], told["examples"]) == (1, [{"receipt": receipt, "reason": reason}])
    receipt_validation.measure()
    assert REGISTRY.get_sample_value("receipts_not_valid") == 1


def test_one_that_was_stopped_goes_on_where_it_was(world: Any) -> None:
    """Nothing is left after its position, so it ends; a second one begins anew."""
    activated_card(world)
    begun = ReceiptValidation.objects.create(started_at=clock.now(), position=Receipt.objects.get().pk, checked=1)
    assert (receipt_validation.run().pk, receipt_validation.run().checked) == (begun.pk, 1)
    assert list(ReceiptValidation.objects.order_by("started_at").values_list("checked", flat=True)) == [1, 1]
