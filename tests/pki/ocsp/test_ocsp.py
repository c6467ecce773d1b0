"""OCSP answers signed ahead: what is signed, when, and that a stale one is never served."""

import datetime as dt
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp as x509_ocsp
from django.db import connection, transaction

from pki.domain.ocsp_request import CertId
from pki.hsm import HsmError
from pki.models import Certificate, OcspResponse, OcspSigner
from pki.ocsp import presigning, status
from pki.revocation.revoking import plan_revocation
from siths_portal.celery import SCHEDULE
from siths_portal.lib import clock

HASHES = {"sha1": hashes.SHA1(), "sha256": hashes.SHA256()}


def asked(row, name="sha256") -> CertId:
    return CertId(name, getattr(row.ca, f"name_{name}"), getattr(row.ca, f"key_{name}"), int(row.serial, 16))


def revoke(*rows, reason="superseded", **options):
    values = {"actor_ref": "user:1", "received_at": clock.now(), "channel": "portal"} | options
    with transaction.atomic(durable=True):
        plan_revocation([row.id for row in rows], reason=reason, **values)


def answer(row, name="sha256") -> x509_ocsp.OCSPResponse:
    return x509_ocsp.load_der_ocsp_response(status.answer(asked(row, name)).der)


@pytest.mark.parametrize("name", ["sha1", "sha256"])
def test_an_answer_is_by_the_delegate_for_the_exact_certid(world, name):
    row = world.issue()
    before = clock.now()
    assert presigning.presign([row.id]) == 1
    response = answer(row, name)
    signer = OcspSigner.objects.get(ca=world.first)
    (embedded,) = response.certificates
    assert embedded.public_bytes(serialization.Encoding.DER) == bytes(signer.certificate_der)
    embedded.public_key().verify(response.signature, response.tbs_response_bytes, ec.ECDSA(hashes.SHA256()))
    (single,) = response.responses
    assert single.hash_algorithm.name == name
    assert single.serial_number == int(row.serial, 16)
    issuer = x509.load_der_x509_certificate(bytes(world.first.certificate_der))
    certificate = x509.load_der_x509_certificate(bytes(row.blob.der))
    expected = x509_ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, HASHES[name]).build()
    assert single.issuer_name_hash == expected.issuer_name_hash
    assert single.issuer_key_hash == expected.issuer_key_hash
    assert single.certificate_status == x509_ocsp.OCSPCertStatus.GOOD
    assert before.replace(microsecond=0) <= single.this_update_utc <= response.produced_at_utc <= clock.now()
    assert single.next_update_utc == single.this_update_utc + dt.timedelta(hours=24)
    assert response.responder_key_hash is not None


@pytest.mark.parametrize(("reason", "flag"), [("keyCompromise", x509.ReasonFlags.key_compromise), ("unspecified", None)])
def test_a_revoked_answer_tells_when_and_why(world, reason, flag):
    row = world.issue()
    revoke(row, reason=reason)
    presigning.presign([row.id])
    row.refresh_from_db()
    (single,) = answer(row).responses
    assert single.certificate_status == x509_ocsp.OCSPCertStatus.REVOKED
    assert single.revocation_time_utc == row.revoked_at.replace(microsecond=0)
    assert single.revocation_reason == flag


def test_from_the_commit_of_a_revocation_on_good_is_not_served(world):
    row = world.issue()
    presigning.presign([row.id])
    assert answer(row).certificate_status == x509_ocsp.OCSPCertStatus.GOOD
    revoke(row)
    with pytest.raises(status.TryLater):
        status.answer(asked(row))
    assert presigning.presign_due() > 0
    assert answer(row).certificate_status == x509_ocsp.OCSPCertStatus.REVOKED


def test_an_answer_signed_before_a_revocation_is_not_stored_after_it(world, monkeypatch):
    """The signer read `issued`, and the revocation commits and is answered while the token signs."""
    row = world.issue()
    sign, overtaken = presigning._sign, []

    def slow(signing, certificates):
        answers = sign(signing, certificates)
        if not overtaken:
            overtaken.append(True)
            revoke(row)
            presigning.presign([row.id])
        return answers

    monkeypatch.setattr(presigning, "_sign", slow)
    assert presigning.presign([row.id]) == 0
    assert answer(row).certificate_status == x509_ocsp.OCSPCertStatus.REVOKED
    row.refresh_from_db()
    assert set(row.ocsp_responses.values_list("status_version", flat=True)) == {row.presigned_version} == {row.status_version}


def test_a_past_answer_is_not_served(world):
    row = world.issue()
    presigning.presign([row.id])
    with clock.moved_to(clock.now() + dt.timedelta(hours=24, seconds=1)), pytest.raises(status.TryLater):
        status.answer(asked(row))


def test_an_answer_from_the_future_is_not_served_and_is_signed_anew(world):
    row, authority = world.issue(), Certificate.objects.filter(ca=world.root).first()
    with clock.moved_to(clock.now() + dt.timedelta(hours=2)):
        presigning.presign_due()
        presigning.presign_all(world.root)
        status.answer(asked(row))
    for each in (row, authority):
        with pytest.raises(status.TryLater):
            status.answer(asked(each))
    assert presigning.presign_due() > 0
    assert answer(row).this_update_utc <= clock.now()
    assert presigning.presign_due() == 0


def test_what_has_no_answer(world):
    reserved, failed, fresh = world.issue(status="reserved"), world.issue(status="failed"), world.issue()
    presigning.presign([reserved.id, failed.id])
    assert OcspResponse.objects.count() == 0
    for row in (reserved, failed):
        with pytest.raises(status.Unauthorized):
            status.answer(asked(row))
    with pytest.raises(status.TryLater):
        status.answer(asked(fresh))
    never = CertId("sha256", world.first.name_sha256, world.first.key_sha256, 4711)
    with pytest.raises(status.Unauthorized):
        status.answer(never)


@pytest.mark.parametrize("serial", [0, -1, 1 << 160, 1 << 5000])
def test_impossible_serials_are_unauthorized(world, serial):
    with pytest.raises(status.Unauthorized):
        status.answer(CertId("sha1", world.first.name_sha1, world.first.key_sha1, serial))


def test_both_halves_of_the_issuer_must_match(world):
    row = world.issue()
    presigning.presign([row.id])
    for name in ("sha1", "sha256"):
        crossed = CertId(name, getattr(world.first, f"name_{name}"), getattr(world.second, f"key_{name}"), int(row.serial, 16))
        with pytest.raises(status.Unauthorized):
            status.answer(crossed)
    # A serial of one CA says nothing under another.
    with pytest.raises(status.Unauthorized):
        status.answer(CertId("sha256", world.second.name_sha256, world.second.key_sha256, int(row.serial, 16)))


def test_a_reserved_certificate_that_is_revoked_is_answered_revoked(world):
    row = world.issue(status="reserved")
    revoke(row, reason="cessationOfOperation")
    presigning.presign_due()
    assert answer(row).certificate_status == x509_ocsp.OCSPCertStatus.REVOKED


def test_an_expired_certificate_is_no_longer_answered_but_never_good(world):
    row = world.issue(not_after=clock.now() + dt.timedelta(hours=30))
    revoke(row)
    presigning.presign_due()
    with clock.moved_to(clock.now() + dt.timedelta(hours=31)):
        presigning.presign_due()
        assert not OcspResponse.objects.filter(certificate=row).exists()
        with pytest.raises(status.Unauthorized):
            status.answer(asked(row))


def test_the_sweeper_finds_what_no_wake_up_told(world):
    rows = [world.issue(ca) for ca in (world.first, world.second) for _ in range(3)]
    assert presigning.presign_due() == 8  # with the two signers' own certificates
    assert presigning.presign_due() == 0
    revoke(rows[0], rows[4])
    assert presigning.presign_due() == 2
    assert [answer(row).certificate_status.name for row in rows] == ["REVOKED", "GOOD", "GOOD", "GOOD", "REVOKED", "GOOD"]
    assert SCHEDULE["pki.presign_due"] == ("pki.presign_due", 2, "pki")


def test_the_sweeper_works_in_parts(world):
    for _ in range(5):
        world.issue()
    done = []
    while not done or done[-1]:
        done.append(presigning.presign_due(limit=2))
    assert sum(done) == 7
    assert Certificate.objects.filter(ca=world.first, presigned_version=-1).count() == 0


def test_answers_are_signed_again_at_half_their_life_and_not_before(world):
    row = world.issue()
    presigning.presign_due()
    first = OcspResponse.objects.get(certificate=row, cert_id_hash="sha1")
    start = first.this_update
    with clock.moved_to(start + dt.timedelta(hours=9, minutes=59)):
        assert presigning.presign_due() == 0
    with clock.moved_to(start + dt.timedelta(hours=12, minutes=1)):
        assert presigning.presign_due() == 3
        assert presigning.presign_due() == 0
    again = OcspResponse.objects.get(certificate=row, cert_id_hash="sha1")
    assert again.next_update == start + dt.timedelta(hours=36, minutes=1)


def test_an_answer_does_not_outlive_its_signer_and_is_not_signed_over_and_over(world):
    OcspSigner.objects.all().delete()
    signer = world.signer(world.first, world.keys.first_signer, valid=dt.timedelta(hours=9))
    row = world.issue()
    presigning.presign_due()
    assert status.answer(asked(row)).next_update == signer.not_after
    assert presigning.presign_due() == 0


def test_a_ca_without_a_responder_does_not_answer(world):
    OcspSigner.objects.filter(ca=world.second).update(retired_at=clock.now())
    row = world.issue(world.second)
    assert presigning.presign([row.id]) == 0
    presigning.presign_due()
    with pytest.raises(status.Unauthorized):
        status.answer(asked(row))


def test_a_revoked_or_expired_signer_is_not_used(world):
    row = world.issue()
    revoke(OcspSigner.objects.get(ca=world.first).certificate)
    assert presigning.presign([row.id]) == 0
    assert presigning.presign_due() > 0  # the other CA's
    with pytest.raises(status.TryLater):
        status.answer(asked(row))


def test_one_cas_missing_key_does_not_hold_the_others_up(world):
    OcspSigner.objects.filter(ca=world.first).update(key_id="00" * 20)
    first, second = world.issue(world.first), world.issue(world.second)
    with pytest.raises(HsmError):
        presigning.presign([first.id])
    presigning.presign_due()
    assert answer(second).certificate_status == x509_ocsp.OCSPCertStatus.GOOD


def test_an_offline_ca_answers_with_its_own_key_at_the_ceremony(world):
    row = Certificate.objects.get(ca=world.root, serial=_serial_of(world.second))
    presigning.presign_due()
    with pytest.raises(status.Unauthorized):
        status.answer(asked(row))
    assert presigning.presign_all(world.root) == 2
    response = answer(row)
    assert response.certificate_status == x509_ocsp.OCSPCertStatus.GOOD
    assert [each.public_bytes(presigning.Encoding.DER) for each in response.certificates] == [bytes(world.root.certificate_der)]
    assert status.answer(asked(row)).next_update > clock.now() + dt.timedelta(days=300)
    revoke(row, reason="cessationOfOperation")
    with pytest.raises(status.Unauthorized):
        status.answer(asked(row))
    presigning.presign_all(world.root)
    assert answer(row).certificate_status == x509_ocsp.OCSPCertStatus.REVOKED


def _serial_of(ca):
    from tests.pki.ocsp.status_world import serial_text

    return serial_text(x509.load_der_x509_certificate(bytes(ca.certificate_der)).serial_number)


def test_signers_at_once_store_one_answer(world):
    rows = [world.issue() for _ in range(6)]
    barrier, failures = threading.Barrier(4), []

    def run(turn):
        try:
            barrier.wait(150)
            presigning.presign([row.id for row in rows[turn:] + rows[:turn]])
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(turn,)) for turn in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failures == []
    assert OcspResponse.objects.count() == 12


def test_the_token_signs_with_no_transaction_open(world, monkeypatch):
    row = world.issue()
    sign, seen = presigning._sign, []

    def watched(signing, certificates):
        seen.append(connection.in_atomic_block)
        return sign(signing, certificates)

    monkeypatch.setattr(presigning, "_sign", watched)
    presigning.presign([row.id])
    assert seen == [False]
    with pytest.raises(RuntimeError), transaction.atomic():
        presigning.presign([row.id])


@pytest.mark.parametrize("which", ["first", "last"])
def test_a_bad_signature_is_not_stored(world, monkeypatch, which):
    rows = [world.issue() for _ in range(3)]
    sign = presigning.Responder.signatures

    def forged(self, data):
        made = sign(self, data)
        place = {"first": 0, "last": -1}[which]
        made[place] = made[place][:-1] + bytes([made[place][-1] ^ 1])
        return made

    monkeypatch.setattr(presigning.Responder, "signatures", forged)
    with pytest.raises(presigning.SelfCheckFailed):
        presigning.presign([row.id for row in rows])
    assert OcspResponse.objects.count() == 0


def test_what_was_signed_together_is_signed_again_by_and_by(world, monkeypatch):
    """Before half their life is over a part of each turn goes to them; after it, whole turns."""
    for _ in range(20):
        world.issue()
    presigning.presign_due()
    start = OcspResponse.objects.order_by("this_update").first().this_update
    with clock.moved_to(start + dt.timedelta(hours=10, minutes=1)):
        turns = []
        while done := presigning.presign_due(limit=10):
            turns.append(done)
        assert set(turns[:-1]) <= {2, 3}  # two of each CA, of which one has a single certificate
        assert sum(turns) == 22
