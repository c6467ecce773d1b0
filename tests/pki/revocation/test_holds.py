"""Certificates on hold: what OCSP, CRLs, our own checks and an export say of them, and what the database refuses."""

import base64
import datetime as dt
import json

import pytest
from cryptography.x509 import ReasonFlags
from django.db import IntegrityError, ProgrammingError, transaction

from pki import service
from pki.crl import building
from pki.domain.ocsp_request import CertId
from pki.issuing import lint, signing
from pki.models import Certificate, CertificateBlob, Event, OcspResponse
from pki.ocsp import feed as ocsp_feed
from pki.ocsp import live as ocsp_live
from pki.ocsp import presigning, status
from pki.ocspd import layout
from pki.ocspd.app import Live, SigningRequest
from pki.takeover import exporting
from siths_portal.lib import clock
from tests.pki.crl.crl_world import published
from tests.pki.ocsp.test_ocsp_live import by_each_hash, question, signed
from tests.pki.ocsp.test_status_face import request_for, revoke
from tests.pki.ocspd.ocspd_stage import CertStatus, Served
from tests.pki.orders import card, order

HOLD = CertStatus.REVOKED, ReasonFlags.certificate_hold


def said_live(row, **changes):
    """What the signer says of the row."""
    return signed(ocsp_live.Signer(per_second=100).answer([question(row, **changes)])[0])


def told(answer):
    return answer.certificate_status, answer.revocation_reason


# --- OCSP -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_the_signer_says_certificate_hold_for_ten_minutes(world, name):
    row, good = world.hold(), world.issue()
    answer = said_live(row, hash_name=name)
    assert told(answer) == HOLD
    assert answer.revocation_time_utc == row.issued_at.replace(microsecond=0)
    assert answer.next_update_utc - answer.this_update_utc == dt.timedelta(minutes=10)
    signer = ocsp_live.Signer(per_second=100)
    both = signer.answer([question(row, number=1), question(good, number=2)])
    assert [signed(packet).certificate_status.name for packet in both.values()] == ["REVOKED", "GOOD"]
    assert [signed(packet).next_update_utc - signed(packet).this_update_utc for packet in both.values()] == [
        dt.timedelta(minutes=10),
        presigning.LIFETIME,
    ]


def test_no_answer_for_a_certificate_on_hold_is_stored(world):
    row = world.hold()
    assert presigning.presign([row.id]) == 0
    presigning.presign_due()
    presigning.presign_all(world.first)
    assert not OcspResponse.objects.filter(certificate=row).exists()
    assert presigning.backlog() == {}


def test_a_stored_answer_for_a_certificate_on_hold_is_not_served(world, tmp_path):
    """One that somebody put there is given by neither the view nor the store."""
    row, good = world.hold(), world.issue()
    presigning.presign([good.id])
    for each in OcspResponse.objects.filter(certificate=good):
        each.pk, each.certificate, each.status_version = None, row, row.status_version
        each.save()
    assert good_in_the_view(row) is False
    served = Served(tmp_path / "ocsp")
    assert served.told(request_for(row)) == "TRY_LATER"
    served.close()


def good_in_the_view(row) -> bool:
    try:
        status.answer(CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16)))
    except status.TryLater:
        return False
    return True


@by_each_hash
def test_the_responder_asks_the_signer_and_keeps_nothing(world, tmp_path, algorithm):
    row = world.hold()
    served = Served(tmp_path / "ocsp")
    assert served.told(request_for(row, algorithm)) == "TRY_LATER"  # without a signer
    served.responder.live = True
    wanted = served.responder.post(request_for(row, algorithm))
    assert isinstance(wanted, SigningRequest)
    assert wanted.stored  # so that a flood of invented serials does not keep it from an answer
    answer = said_live(row, hash_name=algorithm.name)
    times = int(answer.this_update_utc.timestamp()), int(answer.next_update_utc.timestamp())
    live = Live(row.status_version, *times, answer.public_bytes(presigning.Encoding.DER))
    payload = served.responder.settle(wanted._replace(cached=True), live)
    assert payload.endswith(live.der)
    assert b"Cache-Control: max-age=60," in payload
    assert served.publisher.grant() == 0  # no answer is wished for
    assert isinstance(served.responder.post(request_for(row, algorithm)), SigningRequest)
    assert served.responder.counts.totals()[world.first.id, "on_hold"] == 1
    served.close()


def test_the_publisher_follows_holds_by_their_versions(world):
    first, other = world.hold(), world.hold(world.second)
    cas = [world.first.id, world.second.id]

    def keys(records):
        assert {record.state for record in records} <= {layout.PENDING}
        return {record.key for record in records}

    def key(row):
        return layout.key(row.ca_id, int(row.serial, 16))

    with transaction.atomic():
        records, since = ocsp_feed.held(cas, {})
        assert keys(records) == {key(first), key(other)}
        later = world.hold()
        records, since = ocsp_feed.held(cas, since)
        assert keys(records) == {key(later)}
        assert ocsp_feed.held(cas, since) == ([], since)
        assert not keys(ocsp_feed.pending(None)[0]) & {key(row) for row in (first, other, later)}


def test_revoking_a_certificate_on_hold_is_final(world, tmp_path):
    row = world.hold()
    building.publish_crl(world.first.id)
    assert len(published(world.first)) == 0
    served = Served(tmp_path / "ocsp")
    revoke(row, reason="keyCompromise")
    presigning.presign([row.id])
    served.publisher.look()
    answer = served.post(request_for(row))
    assert told(answer) == (CertStatus.REVOKED, ReasonFlags.key_compromise)
    building.publish_crl(world.first.id)
    (entry,) = published(world.first)
    assert entry.serial_number == int(row.serial, 16)
    row.refresh_from_db()
    assert (row.status, row.held, row.reason) == ("revoked", False, "keyCompromise")
    served.close()


# --- planning and issuing -------------------------------------------------------------------------------------------------


def planned(*orders, **options):
    with transaction.atomic():
        return service.plan_certificates(orders, actor_ref="client:test", unit_ref="organisation:1", **options)


def test_a_plan_with_a_hold_issues_certificates_on_hold(demo_pki):
    ids = planned(*card(), held=True, whole=True)
    demo_pki.settle()
    rows = Certificate.objects.filter(id__in=ids)
    assert set(rows.values_list("status", "held")) == {("issued", True)}
    assert not OcspResponse.objects.filter(certificate__in=ids).exists()
    reserved = Event.objects.filter(action="certificate.reserved", subject_ref__in=[str(id_) for id_ in ids])
    assert [event.facts["held"] for event in reserved] == [True] * 4
    assert told(said_live(rows.select_related("ca")[0])) == HOLD


def test_without_a_hold_nothing_is_held(demo_pki):
    ids = planned(*card())
    demo_pki.settle()
    assert set(Certificate.objects.filter(id__in=ids).values_list("status", "held")) == {("issued", False)}
    assert not Certificate.objects.filter(held=True).exists()


def test_a_certificate_that_fails_is_not_on_hold(demo_pki, monkeypatch):
    (id_,) = planned(order(), held=True)
    monkeypatch.setattr(lint, "faults", lambda *_: ["a fault"])
    signing.sign_reserved([id_])
    row = Certificate.objects.get(id=id_)
    assert (row.status, row.held) == ("failed", False)


# --- the database ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["reserved", "issued"])
def test_no_hold_is_set_later(world, state):
    row = world.issue(status=state)
    with pytest.raises(ProgrammingError, match="when the certificate is planned"), transaction.atomic():
        Certificate.objects.filter(id=row.id).update(held=True)


def test_no_hold_is_set_on_what_is_issued(world):
    with pytest.raises(ProgrammingError, match="when the certificate is planned"), transaction.atomic():
        world.issue(held=True)


@pytest.mark.parametrize("end", ["revoked", "failed"])
def test_what_has_ended_is_not_on_hold(world, end):
    row = world.issue(status="reserved", held=True)
    change = {"status": end} | ({"revoked_at": clock.now(), "reason": "superseded"} if end == "revoked" else {})
    with pytest.raises(IntegrityError, match="pki_certificate_held"), transaction.atomic():
        Certificate.objects.filter(id=row.id).update(**change)
    Certificate.objects.filter(id=row.id).update(held=False, **change)


def test_only_an_issued_certificate_is_released(world):
    waiting = world.issue(status="reserved", held=True)
    with pytest.raises(ProgrammingError, match="after issuance"), transaction.atomic():
        Certificate.objects.filter(id=waiting.id).update(held=False)


# --- our own checks, and leaving ------------------------------------------------------------------------------------------


def test_our_own_checks_refuse_a_certificate_on_hold(world):
    row, good = world.hold(), world.issue()
    der, fine = (bytes(CertificateBlob.objects.get(certificate=each).der) for each in (row, good))
    assert status.is_revoked(der)
    assert status.revoked([der, fine]) == {der}
    assert status.refusal_of_machine(der) == "on-hold"
    assert status.refusal_of_machine(fine) == ""


def test_an_export_calls_a_certificate_on_hold_what_ocsp_calls_it(world, tmp_path):
    row, good = world.hold(), world.issue()
    (tmp_path / "out").mkdir()
    summary = exporting.export(world.first, tmp_path / "out", actor_ref="operator:test")
    lines = [json.loads(line) for line in (tmp_path / "out" / "certificates.jsonl").read_text().splitlines()]
    by_serial = {line["serial"]: line for line in lines}
    held = by_serial[row.serial]
    assert (held["status"], held["reason"], held["revoked_at"]) == ("revoked", "certificateHold", row.issued_at.isoformat())
    assert by_serial[good.serial]["status"] == "issued"
    assert base64.b64decode(held["der"]) == bytes(CertificateBlob.objects.get(certificate=row).der)
    assert summary["counts"]["on_hold"] == 1
