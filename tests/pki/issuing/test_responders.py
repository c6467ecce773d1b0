"""OCSP responders are renewed in time, and the keys of those that ended are destroyed."""

import datetime as dt
import io
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp as x509_ocsp
from django.conf import settings
from django.core.management import call_command
from django.db import connection, transaction

from pki.hsm import HsmKeyMissing, HsmUnavailable, hsm_for
from pki.issuing import responders, signing
from pki.models import Certificate, CertificateAuthority, Event, HsmKey, OcspResponse, OcspSigner
from pki.ocsp import presigning
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock
from siths_portal.lib.processes import jobs
from tests import superuser
from tests.pki.orders import order, plan
from tests.waiting import sessions_waiting, wait_for


def days(number: int):
    return clock.moved_to(clock.now() + dt.timedelta(days=number))


def test_a_fresh_responder_is_left_alone(small_pki):
    with days(14):
        assert responders.renew_due() == 0
    assert OcspSigner.objects.count() == 2


def test_a_responder_past_half_its_life_gets_a_successor(small_pki, tally):
    with days(16):
        assert responders.renew_due() == 2
        assert responders.renew_due() == 0
        ca = CertificateAuthority.objects.current("person-hsaid-3")
        old, new = OcspSigner.objects.filter(ca=ca).order_by("not_after")
        assert presigning.delegated_signer(ca, clock.now()) == new
    assert old.key_id != new.key_id
    certificate = x509.load_der_x509_certificate(bytes(new.certificate_der))
    certificate.verify_directly_issued_by(x509.load_der_x509_certificate(bytes(ca.certificate_der)))
    assert {old.retired_at, new.retired_at} == {None}
    assert hsm_for(settings.PKCS11_TOKEN).find(old.key_id)  # still needed for the answers that it signed
    signers = OcspSigner.objects.values_list("ca__slug", flat=True)
    tally.run(["person-hsaid-3", "function"] * 2, signers, "responder certificates")


def test_the_key_of_a_responder_that_ended_is_destroyed(small_pki):
    old = OcspSigner.objects.get(ca__slug="function")
    token = hsm_for(settings.PKCS11_TOKEN)
    key = token.private_key(old.key_id)
    with days(31):
        assert responders.renew_due() == 2
    for signer in OcspSigner.objects.filter(retired_at__isnull=False):
        with pytest.raises(HsmKeyMissing):
            token.find(signer.key_id)
        assert HsmKey.objects.get(key_id=signer.key_id).retired_at is not None
    assert OcspSigner.objects.filter(retired_at__isnull=False).count() == 2
    assert Event.objects.filter(action="key.destroyed").count() == 2
    with pytest.raises(HsmKeyMissing):
        key.sign(b"x", ec.ECDSA(hashes.SHA256()))


def test_a_token_that_is_away_for_one_ca_does_not_hold_the_others_up(small_pki, monkeypatch):
    original = responders.ensure

    def away(ca, **options):
        if ca.slug == "person-hsaid-3":
            raise HsmUnavailable("away")
        return original(ca, **options)

    monkeypatch.setattr(responders, "ensure", away)
    with days(16):
        assert responders.renew_due() == 1


def test_renewal_that_was_cut_off_goes_on(small_pki, monkeypatch):
    ca = CertificateAuthority.objects.current("function")

    def cut(*_arguments):
        raise HsmUnavailable("cut")

    with days(16):
        with monkeypatch.context() as patched:
            patched.setattr(responders.signing, "sign_tbs", cut)
            with pytest.raises(HsmUnavailable):
                responders.ensure(ca)
        assert ca.certificates.filter(status="reserved").count() == 1
        responders.ensure(ca)
        assert ca.certificates.filter(status="reserved").count() == 0
        assert OcspSigner.objects.filter(ca=ca).count() == 2
        assert HsmKey.objects.filter(purpose="ocsp", label__contains="/function-").count() == 2


def test_two_workers_at_once_make_one_responder_with_one_key(small_pki):
    """Both stand before the table of keys when they are let go on: who comes second must find what the first has made."""
    ca = CertificateAuthority.objects.current("function")

    def renew() -> OcspSigner | None:
        try:
            with days(16):
                return responders.ensure(ca)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as workers:
        with superuser.cursor() as cursor:
            cursor.execute("LOCK TABLE pki_hsmkey IN SHARE MODE")
            made = [workers.submit(renew) for _ in range(2)]
            wait_for(lambda: sessions_waiting() == 2, "both to wait")
        (new,) = filter(None, (each.result() for each in made))
    assert OcspSigner.objects.filter(ca=ca).count() == 2
    key = HsmKey.objects.get(key_id=new.key_id)
    token = hsm_for(settings.PKCS11_TOKEN)
    assert [each.key_id for each in token.inventory() if each.label == key.label] == [key.key_id]


def revoke(signer, reason="keyCompromise"):
    with transaction.atomic(durable=True):
        plan_revocation([signer.certificate_id], reason=reason, actor_ref="user:1", received_at=clock.now(), channel="portal")


def openssl_accepts(ca, row, folder) -> str:
    """What `openssl ocsp` says of the stored answer for the certificate."""
    files = {
        "root.pem": x509.load_der_x509_certificate(bytes(ca.parent.certificate_der)).public_bytes(Encoding.PEM),
        "ca.pem": x509.load_der_x509_certificate(bytes(ca.certificate_der)).public_bytes(Encoding.PEM),
        "answer.der": bytes(OcspResponse.objects.get(certificate=row, cert_id_hash="sha256").der),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
    command = ["openssl", "ocsp", "-sha256", "-issuer", "ca.pem", "-serial", f"0x{row.serial}", "-respin", "answer.der"]
    done = subprocess.run([*command, "-CAfile", "root.pem"], cwd=folder, capture_output=True, text=True, timeout=60)
    assert "Response verify OK" in done.stderr, done.stderr
    return done.stdout


def test_a_revoked_responder_is_replaced_at_once_and_its_answers_signed_anew(small_pki, tmp_path):
    ca = CertificateAuthority.objects.current("function")
    old = OcspSigner.objects.get(ca=ca)
    held = issue_function()
    presigning.presign_due()
    assert OcspResponse.objects.get(certificate=held, cert_id_hash="sha256").signer == old
    revoke(old)
    assert responders.renew_due() == 1
    assert responders.renew_due() == 0
    new = OcspSigner.objects.get(ca=ca, retired_at=None)
    old.refresh_from_db()
    assert old.retired_at is not None
    assert new.key_id != old.key_id
    assert bytes(new.certificate_der) != bytes(old.certificate_der)
    with pytest.raises(HsmKeyMissing):
        hsm_for(settings.PKCS11_TOKEN).find(old.key_id)
    assert presigning.presign_due() > 0
    assert not OcspResponse.objects.filter(signer=old).exists()
    stored = x509_ocsp.load_der_ocsp_response(bytes(OcspResponse.objects.get(certificate=held, cert_id_hash="sha256").der))
    assert stored.certificates[0].public_bytes(Encoding.DER) == bytes(new.certificate_der)
    assert f"0x{held.serial}: good" in openssl_accepts(ca, held, tmp_path)
    revoked = Certificate.objects.get(id=old.certificate_id)
    assert f"0x{revoked.serial}: revoked" in openssl_accepts(ca, revoked, tmp_path)
    assert presigning.presign_due() == 0


def issue_function() -> Certificate:
    (id_,) = plan(order("function"))
    assert signing.sign_reserved([id_]) == 1
    return Certificate.objects.get(id=id_)


def test_an_operator_reads_the_serial_and_replaces_the_responder_at_once(small_pki):
    def shown() -> list[str]:
        out = io.StringIO()
        call_command("pki_ocsp_signer", "function", "--show", stdout=out)
        return out.getvalue().splitlines()

    old = OcspSigner.objects.select_related("certificate").get(ca__slug="function")
    until = f"{old.not_after:%Y-%m-%d %H:%M}"
    assert shown() == [f"function {old.certificate.serial}: issued, till {until} UTC"]
    serial = shown()[0].split()[1].rstrip(":")
    given = ["--ca", "function", "--serial", serial, "--reason", "superseded", "--justification", "planned"]
    call_command("pki_revoke", *given, stdout=io.StringIO())
    assert responders.renew_due() == 1
    new = OcspSigner.objects.select_related("certificate").get(ca__slug="function", retired_at=None)
    assert new.key_id != old.key_id
    assert [line.split(":")[0] for line in shown()] == [f"function {new.certificate.serial}"]


def test_a_responder_revoked_again_the_same_day_is_replaced_again(small_pki):
    ca = CertificateAuthority.objects.current("function")
    keys = {OcspSigner.objects.get(ca=ca).key_id}
    for _ in range(3):
        revoke(OcspSigner.objects.get(ca=ca, retired_at=None))
        assert responders.renew_due() == 1
        keys.add(OcspSigner.objects.get(ca=ca, retired_at=None).key_id)
    assert len(keys) == 4
    assert HsmKey.objects.filter(purpose="ocsp", label__contains="/function-", retired_at=None).count() == 1


def test_a_responder_revoked_while_it_was_signed_never_answers(small_pki, monkeypatch):
    ca = CertificateAuthority.objects.current("function")
    revoke(OcspSigner.objects.get(ca=ca))
    store = signing.store

    def revoked_after(row, der):
        done = store(row, der)
        with transaction.atomic(durable=True):
            plan_revocation([row.id], reason="keyCompromise", actor_ref="user:1", received_at=clock.now(), channel="portal")
        return done

    with monkeypatch.context() as patched:
        patched.setattr(signing, "store", revoked_after)
        with pytest.raises(signing.NotIssuable):
            responders.ensure(ca)
    assert presigning.delegated_signer(ca, clock.now()) is None
    assert responders.ensure(ca) is not None
    assert presigning.delegated_signer(ca, clock.now()) is not None


def test_the_revocation_of_a_responder_wakes_its_replacement(small_pki, monkeypatch):
    woken = []
    monkeypatch.setattr(jobs, "_wake", lambda name, queue, ids: woken.append(name))
    revoke(OcspSigner.objects.get(ca__slug="function"))
    assert woken == ["pki.renew_responders", "pki.presign"]  # answers need the new one
