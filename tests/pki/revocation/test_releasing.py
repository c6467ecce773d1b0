"""The release of a hold: only by the worker, only for a card whose proof it verified, once."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, ProgrammingError, transaction

from pki import service
from pki.domain.ocsp_request import CertId
from pki.health import authority_checks
from pki.hsm import HsmUnavailable
from pki.models import Certificate, Event, HoldRelease, SecretDelivery
from pki.ocsp import presigning, status
from pki.ocsp.publishing import Publisher
from pki.revocation import releasing
from pki.secrets import delivering
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound
from tests.first_rows import further_rows
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocspd.ocspd_stage import Served
from tests.pki.orders import card
from tests.pki.revocation.test_holds import HOLD, planned, said_live, told
from tests.pki.secrets.test_deliveries import OWNER, App, sealed

ACTOR = "holder:1"


@pytest.fixture
def on_hold(demo_pki) -> list[Certificate]:
    """A card's four certificates on hold."""

    def make() -> dict[str, Any]:
        ids = planned(*card(), held=True, whole=True)
        demo_pki.settle()
        return {"ids": ids}

    ids = further_rows("card on hold", make, lambda: True)["ids"]
    return list(Certificate.objects.filter(id__in=ids).select_related("ca").order_by("id"))


def proven(owner: str = OWNER, *, kind: str = "activate", deliver: bool = True):
    """A delivery with the proof of the owner's card, verified by the worker unless `deliver` is False."""
    id_ = App().ask(sealed(owner=owner), owner=owner, kind=kind)
    if deliver:
        delivering.deliver_secrets([id_])
        assert SecretDelivery.objects.get(id=id_).proof_verified_at is not None
    return id_


def ask(rows, delivery) -> None:
    with transaction.atomic():
        service.plan_release([row.id for row in rows], delivery_id=delivery, actor_ref=ACTOR)


def good(row) -> bool:
    """Whether a stored answer says good of the row."""
    try:
        return status.answer(CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16))).status == "good"
    except status.TryLater:
        return False


def held(rows) -> set[bool]:
    return set(Certificate.objects.filter(id__in=[row.id for row in rows]).values_list("held", flat=True))


def test_a_release_makes_the_certificates_good(on_hold, tmp_path):
    assert [told(said_live(row)) for row in on_hold] == [HOLD] * 4
    served = Served(tmp_path / "ocsp")
    ask(on_hold, proven())
    assert held(on_hold) == {True}  # the worker decides
    assert releasing.release_holds() == 4
    assert held(on_hold) == {False}
    assert all(map(good, on_hold))
    served.publisher.look()
    assert {served.told(request_for(row)) for row in on_hold} == {"GOOD"}
    served.close()
    after = Certificate.objects.in_bulk([row.id for row in on_hold])
    assert all(after[row.id].status_version > row.status_version for row in on_hold)
    events = Event.objects.filter(subject_ref__in=[str(row.id) for row in on_hold], subject_type="certificate")
    assert events.filter(action="certificate.release_requested", actor_ref=ACTOR).count() == 4
    assert events.filter(action="certificate.released", actor_ref=releasing.ACTOR).count() == 4
    assert releasing.release_holds() == 0
    assert service.wait_until_released(after, seconds=0)


def test_a_repeated_request_changes_nothing(on_hold):
    delivery = proven()
    ask(on_hold, delivery)
    ask(on_hold, delivery)
    assert HoldRelease.objects.count() == 4
    assert releasing.release_holds() == 4
    ask(on_hold, proven())
    assert HoldRelease.objects.count() == 4
    with pytest.raises(NotFound):
        ask(on_hold, on_hold[0].id)


def test_a_request_waits_for_its_delivery(on_hold):
    delivery = proven(deliver=False)
    ask(on_hold, delivery)
    assert releasing.release_holds() == 0
    assert not service.wait_until_released([row.id for row in on_hold], seconds=0)
    assert not Event.objects.filter(action="certificate.release_refused").exists()
    delivering.deliver_secrets([delivery])
    assert releasing.release_holds() == 4


def test_a_proof_that_was_verified_counts_after_its_delivery_is_destroyed(on_hold):
    delivery = proven()
    ask(on_hold, delivery)
    with transaction.atomic():
        service.destroy_delivery(delivery)
    assert releasing.release_holds() == 4


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("another card's proof", "other-carrier"),
        ("a proof that opened no seal", "other-kind"),
        ("refused", "not-proven"),
        ("destroyed before", "not-proven"),
    ],
)
def test_without_the_cards_own_proof_nothing_is_released(on_hold, fault, reason):
    delivery = proven(
        "carrier:2" if fault == "another card's proof" else OWNER,
        kind="sign" if fault == "a proof that opened no seal" else "activate",
        deliver="proof" in fault,
    )
    if fault == "refused":
        SecretDelivery.objects.filter(id=delivery).update(proof_signature=b"other")
        delivering.deliver_secrets([delivery])
    if fault == "destroyed before":
        with transaction.atomic():
            service.destroy_delivery(delivery)
    ask(on_hold, delivery)
    for _ in range(2):
        assert releasing.release_holds() == 0
    assert held(on_hold) == {True}
    refused = Event.objects.filter(action="certificate.release_refused")
    assert {event.facts["reason"] for event in refused} == {reason}
    assert refused.count() == 4  # once each
    assert [told(said_live(row)) for row in on_hold] == [HOLD] * 4


def test_no_statement_of_the_application_ends_a_hold_without_a_proof(on_hold):
    """As the application's role, past the code."""
    rows = Certificate.objects.filter(id__in=[row.id for row in on_hold])
    later = max(row.status_version for row in on_hold) + 10
    with pytest.raises(ProgrammingError, match="no proof of its card"), transaction.atomic():
        rows.update(held=False, status_version=later)
    ask(on_hold, proven("carrier:2"))
    ask(on_hold, proven(deliver=False))
    ask(on_hold, proven(kind="sign"))
    with pytest.raises(ProgrammingError, match="no proof of its card"), transaction.atomic():
        rows.update(held=False, status_version=later)
    assert held(on_hold) == {True}


def test_a_release_is_a_new_status_version(on_hold):
    ask(on_hold, proven())
    with pytest.raises(ProgrammingError, match="new status version"), transaction.atomic():
        Certificate.objects.filter(id=on_hold[0].id).update(held=False)


def test_requests_are_append_only(on_hold):
    ask(on_hold, proven())
    for change in (lambda: HoldRelease.objects.update(actor_ref="x"), lambda: HoldRelease.objects.all()._raw_delete("default")):
        with pytest.raises(ProgrammingError), transaction.atomic():
            change()
    one = HoldRelease.objects.first()
    with pytest.raises(IntegrityError), transaction.atomic():
        HoldRelease.objects.create(certificate=one.certificate, delivery=one.delivery, requested_at=clock.now(), actor_ref=ACTOR)


def test_a_revocation_wins_over_a_release(on_hold):
    ask(on_hold, proven())
    revoke(*on_hold[:2])
    assert releasing.release_holds() == 2
    assert set(Certificate.objects.filter(id__in=[row.id for row in on_hold]).values_list("status", "held")) == {
        ("revoked", False), ("issued", False),
    }  # fmt: skip


def test_a_token_that_is_away_leaves_the_answers_to_their_sweeper(on_hold, monkeypatch):
    ask(on_hold, proven())

    def away(_ids):
        raise HsmUnavailable("away")

    with monkeypatch.context() as patched:
        patched.setattr(presigning, "presign", away)
        assert releasing.release_holds() == 4
    assert not any(map(good, on_hold))
    presigning.presign_due()
    assert all(map(good, on_hold))


def test_an_overdue_request_is_reported_and_carried_out_in_the_end(on_hold):
    ask(on_hold, proven())
    assert releasing.watched().ok
    with clock.moved_to(clock.now() + dt.timedelta(days=2)):
        finding = releasing.watched()
        assert (finding.ok, finding.value) == (False, 4)
        assert "fem minuter" in finding.text
        assert releasing.release_holds() == 0
        assert releasing.release_holds(overdue=True) == 4
        assert releasing.watched().ok


def test_pki_check_does_not_miss_answers_for_certificates_on_hold(on_hold):
    with clock.moved_to(clock.now() + 2 * authority_checks.ANSWER_WAIT):
        found = [each for each in authority_checks.inspect() if each.subject.startswith("ocsp person-")]
    assert found
    assert all(each.ok for each in found), found


def test_the_store_learns_of_a_release_in_one_look(on_hold, tmp_path):
    with Publisher(tmp_path / "ocsp") as publisher:
        publisher.look()
        ask(on_hold, proven())
        releasing.release_holds()
        assert publisher.look() >= 4
