"""A card's certificates are on hold from issuance until its holder has chosen the code in the eID app."""

from typing import Any

import pytest

from issuance.activation.models import EidAppTransaction
from issuance.activation.services import activation_app
from issuance.carriers.domain.kinds import CARD_PROFILES
from issuance.carriers.models import Carrier
from issuance.revocation.services import revocation
from pki.domain.ocsp_request import CertId
from pki.models import Certificate, HoldRelease, SecretDelivery
from pki.ocsp import live as ocsp_live
from pki.ocsp import status
from pki.revocation import releasing
from siths_portal.lib import clock
from siths_portal.lib.errors import Unavailable
from tests.issuance.activated import App, Made, identify, reopened, sent_card
from tests.pki.ocsp.test_ocsp_live import question, signed
from tests.pki_fixtures import tampering

pytestmark = pytest.mark.usefixtures("demo_pki")


def rows(made: Made) -> list[Certificate]:
    ids = made.carrier.certificates.values_list("certificate_id", flat=True)
    return list(Certificate.objects.filter(id__in=list(ids)).select_related("ca"))


def said(made: Made) -> set[str]:
    """What relying parties are told of the card's certificates: by the stored answers, or else by the signer."""
    return {_said(row) for row in rows(made)}


def _said(row: Certificate) -> str:
    try:
        return status.answer(CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16))).status
    except status.TryLater:
        answer = signed(ocsp_live.Signer(per_second=100).answer([question(row)])[0])
        assert answer is not None
        return answer.revocation_reason.name if answer.revocation_reason else answer.certificate_status.name.lower()


def code_chosen(made: Made, opened: Any) -> App:
    """The app after it reported the code, before the worker has done anything."""
    app = App(made)
    app.start(opened)
    activation_app.set_code(step_token=app.token)
    return app


def test_a_card_that_its_supplier_made_is_on_hold_until_its_code_is_set(world: Any) -> None:
    """Who has the supplier's TLS key has made, certified and reported this card: no certificate of it is good."""
    made = sent_card(world)
    assert len(rows(made)) == len(CARD_PROFILES)
    assert said(made) == {"certificate_hold"}
    opened = identify(world, made)
    app = App(made)
    app.start(opened)
    assert releasing.release_holds() == 0
    assert said(made) == {"certificate_hold"}
    app.set_code()
    assert made.fresh().state == "activated_unsigned"
    assert said(made) == {"good"}  # before the receipt is signed
    app.complete()
    assert made.fresh().state == "active"


def test_the_release_is_asked_for_with_the_code_by_this_activations_proof(world: Any) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    app = code_chosen(made, opened)
    for _ in range(2):
        assert activation_app.set_code(step_token=app.token) == "code_set"
    delivery = SecretDelivery.objects.get(id=EidAppTransaction.objects.get(pk=opened.transaction.pk).delivery_id)
    asked = HoldRelease.objects.all()
    assert {each.certificate_id for each in asked} == {row.id for row in rows(made)}
    assert {each.delivery for each in asked} == {delivery}
    assert {each.actor_ref for each in asked} == {f"holder:{made.carrier.person_id}"}


def test_a_signature_waits_for_the_release_and_changes_nothing(world: Any) -> None:
    made = sent_card(world)
    app = code_chosen(made, identify(world, made))
    for _ in range(2):
        with pytest.raises(Unavailable, match="certificates-on-hold") as refused:
            app.complete()
        assert "skriv under igen" in refused.value.message
    assert made.fresh().state == "activated_unsigned"
    assert EidAppTransaction.objects.get().state == "code_set"
    assert EidAppTransaction.objects.get().wrong_proofs == 0
    releasing.release_holds()
    assert app.complete().state == "active"


def test_a_transaction_that_only_signs_waits_for_the_same_release(world: Any) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    code_chosen(made, opened)
    later = App(made)
    later.start(reopened(world, opened))
    with pytest.raises(Unavailable, match="certificates-on-hold"):
        later.complete()
    assert HoldRelease.objects.count() == len(CARD_PROFILES)
    assert releasing.release_holds() == len(CARD_PROFILES)
    assert later.complete().state == "active"


def test_pki_check_reports_a_card_that_has_its_code_and_is_on_hold(world: Any) -> None:
    """Its release was never requested: as if somebody had changed the card past the service."""
    made = sent_card(world)
    later = clock.now() + 2 * releasing.LATE
    with clock.moved_to(later):
        assert releasing.watched().ok
    with tampering() as cursor:
        cursor.execute(
            "UPDATE issuance_carrier SET state = 'activated_unsigned', code_set_at = %s WHERE id = %s",
            [clock.now(), str(made.carrier.pk)],
        )
    assert releasing.watched().ok
    with clock.moved_to(later):
        finding = releasing.watched()
    assert (finding.ok, finding.value) == (False, len(CARD_PROFILES))


def test_a_card_that_is_revoked_on_hold_is_revoked(world: Any) -> None:
    made = sent_card(world)
    revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.pk, reason="lost_or_stolen")
    assert {(row.status, row.held) for row in rows(made)} == {("revoked", False)}
    assert "certificate_hold" not in said(made)


def test_only_an_ordinary_card_is_on_hold(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    order = world.order()
    Carrier.objects.filter(pk=order.carrier_id).update(kind="test_card")
    monkeypatch.setattr(world, "order", lambda *_arguments, **_options: order)
    made = sent_card(world)
    assert {row.held for row in rows(made)} == {False}
    assert said(made) == {"good"}
