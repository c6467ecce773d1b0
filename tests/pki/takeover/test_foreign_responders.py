"""OCSP of a CA whose key is elsewhere: by a responder that it certified, from what was imported (rules/pki 1.2, ADR 0218)."""

import datetime as dt
import io

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID
from django.conf import settings
from django.core.management import CommandError, call_command

from pki.domain.findings import Severity
from pki.health import authority_checks, checks
from pki.issuing import responders
from pki.models import Certificate, CertificateAuthority, Event, HsmKey, OcspSigner, Revocation
from pki.ocsp import live as ocsp_live
from pki.ocsp import presigning
from pki.ocsp import unknown as ocsp_unknown
from pki.ocspd import routing
from pki.operators.status import ca_statuses
from pki.takeover import foreign_crls
from pki.takeover.addresses import Addresses
from pki.takeover.findings import Ledger
from siths_portal.lib import clock
from tests.pki.ocsp.test_f10_ocsp import gnutls, gnutls_sees, openssl_sees
from tests.pki.ocsp.test_ocsp_live import question, signed
from tests.pki.ocsp.test_status_face import request_for
from tests.pki.ocsp.test_status_wire import openssl
from tests.pki.ocspd.ocspd_stage import Served
from tests.pki.takeover import takeover_world as world
from tests.pki.takeover.takeover_world import OldCa, used_ca
from tests.pki.takeover.test_foreign_lists import imported, made, publish

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_tokens")]
DAY = dt.timedelta(days=1)
FIT = {"usage": True, "purposes": (ExtendedKeyUsageOID.OCSP_SIGNING,), "nocheck": True, "start": -DAY, "days": 40}


@pytest.fixture
def old(tmp_path) -> OldCa:
    return used_ca(tmp_path / "old", 3, {1: "superseded"})


@pytest.fixture
def ca(old, tmp_path) -> CertificateAuthority:
    return imported(tmp_path, old, old.crl())


def row(old: OldCa, number: int) -> Certificate:
    serial = world.text(world.certificates(old)[number].serial_number)
    return Certificate.objects.select_related("ca").get(ca__slug="function", serial=serial)


def certified(old: OldCa, public_key, *, key=None, serial: int = 0, **changes) -> bytes:
    """What the CA elsewhere gives for a responder's public key."""
    wanted = FIT | changes
    issuer, name = x509.load_der_x509_certificate(old.der()), x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "OCSP")])
    start = clock.now().replace(microsecond=0) + wanted["start"]
    serial, end = serial or x509.random_serial_number(), start + wanted["days"] * DAY
    builder = x509.CertificateBuilder(issuer.subject, name, public_key, serial, start, end)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), False)
    names = (
        "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign "
        "encipher_only decipher_only"
    )
    usage = dict.fromkeys(names.split(), False) | {"digital_signature": wanted["usage"], "content_commitment": True}
    builder = builder.add_extension(x509.KeyUsage(**usage), True)
    if wanted["purposes"]:
        builder = builder.add_extension(x509.ExtendedKeyUsage(wanted["purposes"]), False)
    if wanted["nocheck"]:
        builder = builder.add_extension(x509.OCSPNoCheck(), False)
    key = key or load_pem_private_key(old.key.read_bytes(), None)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def asked_for(tmp_path) -> x509.CertificateSigningRequest:
    path = tmp_path / "next.csr"
    call_command("pki_ocsp_signer", "function", "--request", str(path), stdout=io.StringIO())
    return x509.load_pem_x509_csr(path.read_bytes())


def accept(tmp_path, der: bytes, *options: str) -> str:
    path, out = tmp_path / "responder.cer", io.StringIO()
    path.write_bytes(der)
    call_command("pki_ocsp_signer", "function", "--certificate", str(path), *options, stdout=out)
    return out.getvalue()


def answering(old: OldCa, tmp_path, **changes) -> OcspSigner:
    accept(tmp_path, certified(old, asked_for(tmp_path).public_key(), **changes))
    return OcspSigner.objects.latest("id")


def found_of(subject: str) -> Severity:
    (found,) = [each for each in checks.check_all() if each.subject == f"{subject} function:1"]
    return found.severity


def test_without_a_responder_nothing_is_answered(ca, old, tmp_path):
    served = Served(tmp_path / "ocsp")
    assert presigning.presign_due() == 0
    assert {served.told(request_for(row(old, number))) for number in range(3)} == {"UNAUTHORIZED"}
    assert not [each for each in authority_checks.inspect() if "function" in each.subject]
    assert not [each for each in ca_statuses() if each.slug == "function"]
    assert not_served(ca) == ["ocsp http://ocsp1.old.test"]
    served.close()


def not_served(ca) -> list[str]:
    """What an import tells of addresses in the CA's certificates."""
    ledger = Ledger()
    Addresses(ca, ledger).look("a row", "01", [("ocsp", "http://ocsp1.old.test"), ("crl", f"http://x.test/{ca.file_stem}.crl")])
    return [each.detail for each in ledger.found]


def test_it_answers_as_the_data_tells_and_openssl_and_gnutls_believe_it(ca, old, tmp_path):
    signer = answering(old, tmp_path)
    event = Event.objects.get(action="ocsp_signer.activated")
    assert (event.facts["ca"], event.facts["certified"], event.subject_ref) == ("function", "elsewhere", str(ca.id))
    assert presigning.presign_due() == 5  # the CA's own certificate and the responder's are among its own
    served = Served(tmp_path / "ocsp")
    assert [served.told(request_for(row(old, number))) for number in range(3)] == ["GOOD", "REVOKED", "GOOD"]
    never = request_for(row(old, 0), serial=0x4711)
    assert served.told(never) == "UNAUTHORIZED"
    served.responder._refresh_requests._write()
    served.publisher.grant()
    assert ocsp_unknown.sign() == 1
    served.publisher.look()
    assert served.told(never) == "UNKNOWN"
    end = ca.crls.get().next_update
    for number, expected in ((0, "good"), (1, "revoked")):
        response = served.post(request_for(row(old, number)))
        assert response.this_update_utc <= clock.now() < response.next_update_utc <= end
        answer = tmp_path / "answer.der"
        answer.write_bytes(response.public_bytes(Encoding.DER))
        about = ("-sha256", "-issuer", old.certificate, "-cert", old.issued[number], "-CAfile", old.certificate)
        assert openssl_sees(openssl("ocsp", "-respin", answer, *about))[0] == expected
        checked = ("--verify-response", "--load-response", answer, "--load-issuer", old.certificate)
        text = gnutls("--response-info", "--load-response", answer) + gnutls(*checked, "--load-trust", old.certificate)
        assert gnutls_sees(text) == expected
    live = signed(ocsp_live.Signer(per_second=9).answer([question(row(old, 0))])[0])
    assert live.certificate_status.name == "GOOD"
    assert live.next_update_utc <= end
    assert (found_of("ocsp"), found_of("ocsp-signer")) == (Severity.OK, Severity.OK)
    assert not_served(ca) == []
    (told,) = [each for each in ca_statuses() if each.slug == "function"]
    assert (told.has_answers, told.answers.waiting, told.answers.signer_until) == (True, 0, signer.not_after)
    assert [each.lacks for each in told.lists] == [0]
    served.close()


def test_b1_33_what_a_later_list_revokes_is_revoked_here_before_it_is_out(ca, old, tmp_path, monkeypatch, settings):
    answering(old, tmp_path)
    presigning.presign_due()
    served = Served(tmp_path / "ocsp")
    served.publisher.writer.close()  # nobody keeps the store up: who publishes does
    settings.PKI_OCSP_STORE_DIR = served.folder
    assert served.told(request_for(row(old, 2))) == "GOOD"
    old.revoke(2, "keyCompromise")
    stranger = old.issue(1)[3]  # since the import
    old.revoke(3)
    said = []

    def seen(path, content):
        said.append((row(old, 2).status, served.told(request_for(row(old, 2)))))
        path.write_bytes(content)

    monkeypatch.setattr(foreign_crls, "write_atomically", seen)
    later = old.crl()
    publish(tmp_path, later)
    assert said == [("revoked", "TRY_LATER")]
    revoked = row(old, 2)
    assert (revoked.reason, revoked.revoked_at) == ("keyCompromise", old.index()[revoked.serial][0])
    assert Revocation.objects.get(certificate=revoked).channel == "system"
    assert row(old, 3).tbs_sha256 == ""  # known by its serial alone
    assert x509.load_pem_x509_certificate(stranger.read_bytes()).serial_number == int(row(old, 3).serial, 16)
    event = Event.objects.get(action="certificates.revoked_elsewhere")
    assert (event.facts["count"], event.facts["unknown_before"], event.facts["number"]) == (2, 1, "42")
    publish(tmp_path, later)
    assert Event.objects.filter(action="certificates.revoked_elsewhere").count() == 1
    assert ca.crls.latest("number").status_version == CertificateAuthority.objects.get(id=ca.id).status_version
    presigning.presign_due()
    for algorithm in (hashes.SHA1(), hashes.SHA256()):
        foreign_crls.store_sync._look(served.folder)
        told = [served.told(request_for(row(old, number), algorithm)) for number in range(4)]
        assert told == ["GOOD", "REVOKED", "REVOKED", "REVOKED"]


def test_an_older_list_revokes_nothing(ca, old, tmp_path):
    answering(old, tmp_path)
    old.revoke(2)
    entry = x509.RevokedCertificateBuilder(int(row(old, 2).serial, 16), clock.now().replace(microsecond=0) - DAY).build()
    issuer, moment = x509.load_der_x509_certificate(old.der()).subject, clock.now().replace(microsecond=0) - 2 * DAY
    builder = x509.CertificateRevocationListBuilder(issuer, moment, moment + 30 * DAY, [], [entry])
    builder = builder.add_extension(x509.CRLNumber(1), critical=False)
    list_ = builder.sign(load_pem_private_key(old.key.read_bytes(), None), hashes.SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(CommandError, match="redan publicerad"):
        publish(tmp_path, list_)
    assert row(old, 2).status == "issued"


def test_entries_on_hold_are_decided_about_first(ca, old, tmp_path):
    answering(old, tmp_path)
    old.revoke(2, "certificateHold")
    later = old.crl()
    with pytest.raises(CommandError, match="1 poster på listan är tillfälligt spärrade"):
        publish(tmp_path, later)
    assert (row(old, 2).status, ca.crls.count()) == ("issued", 1)
    call_command("pki_publish_crls", "--ca", "function", "--file", str(tmp_path / "next.crl"), "--hold", "revoke")
    assert (row(old, 2).status, row(old, 2).reason, ca.crls.count()) == ("revoked", "unspecified", 2)


def test_nothing_is_said_after_the_end_of_the_list_until_the_next_is_out(ca, old, tmp_path):
    answering(old, tmp_path)
    end = ca.crls.get().next_update
    served = Served(tmp_path / "ocsp")
    with clock.moved_to(end - dt.timedelta(hours=1)):
        presigning.presign_due()
        served.publisher.look()
        assert served.post(request_for(row(old, 0))).next_update_utc == end
    with clock.moved_to(end):
        assert presigning.presign_due() == 0
        assert signed(ocsp_live.Signer(per_second=9).answer([question(row(old, 0))])[0]) is None
        assert served.told(request_for(row(old, 0))) == "TRY_LATER"
        assert (found_of("ocsp"), found_of("crl")) == (Severity.ERROR, Severity.ERROR)
        publish(tmp_path, made(old, 99, start=end.replace(microsecond=0)))
        assert row(old, 1).status == "revoked"  # the new list forgot it; here it stays
        presigning.presign_due()
        served.publisher.look()
        assert [served.told(request_for(row(old, number))) for number in range(2)] == ["GOOD", "REVOKED"]
        (told,) = [each for each in ca_statuses() if each.slug == "function"]
        assert [each.lacks for each in told.lists] == [1]  # which somebody must look into
    served.close()


def test_its_end_is_told_in_time_and_then_it_is_silent(ca, old, tmp_path):
    signer = answering(old, tmp_path)
    publish(tmp_path, made(old, 99, start=clock.now().replace(microsecond=0), days=100))
    assert responders.renew_due() == 0
    for left, severity in ((21, Severity.OK), (19, Severity.WARNING), (9, Severity.ERROR)):
        with clock.moved_to(signer.not_after - left * DAY):
            assert found_of("ocsp-signer") == severity, left
            assert responders.renew_due() == 0
    served = Served(tmp_path / "ocsp")
    with clock.moved_to(signer.not_after):
        responders.renew_due()
        served.publisher.look()
        assert served.told(request_for(row(old, 0))) == "UNAUTHORIZED"
        assert found_of("ocsp-signer") == Severity.ERROR
        assert HsmKey.objects.get(key_id=signer.key_id).retired_at is not None
        assert OcspSigner.objects.get().retired_at is not None
        following = answering(old, tmp_path)  # goes on by another key
        assert following.key_id != signer.key_id
        presigning.presign_due()
        served.publisher.look()
        assert served.told(request_for(row(old, 0))) == "GOOD"
    served.close()


def test_a_responder_that_its_ca_revokes_signs_nothing_more(ca, old, tmp_path):
    signer = answering(old, tmp_path)
    entry = x509.RevokedCertificateBuilder(int(signer.certificate.serial, 16), clock.now().replace(microsecond=0)).build()
    issuer, moment = x509.load_der_x509_certificate(old.der()).subject, clock.now().replace(microsecond=0)
    builder = x509.CertificateRevocationListBuilder(issuer, moment, moment + 30 * DAY, [], [entry])
    builder = builder.add_extension(x509.CRLNumber(99), critical=False)
    key = load_pem_private_key(old.key.read_bytes(), None)
    publish(tmp_path, builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER))
    assert presigning.delegated_responder(ca, clock.now()) is None
    assert presigning.presign_due() == 0
    assert found_of("ocsp-signer") == Severity.ERROR


def test_b1_33_what_a_responder_said_does_not_outlast_a_list_when_it_is_there_no_more(ca, old, tmp_path, settings, monkeypatch):
    """Nobody can sign that the certificate is revoked now, and so nothing is said of it, from a store made anew as well."""
    signer = answering(old, tmp_path)
    presigning.presign_due()
    served = Served(tmp_path / "ocsp")
    settings.PKI_OCSP_STORE_DIR = served.folder
    served.publisher.writer.close()
    monkeypatch.setattr(routing, "_LOOK_EACH", 0.0)
    OcspSigner.objects.filter(id=signer.id).update(retired_at=clock.now())
    assert served.told(request_for(row(old, 2))) == "GOOD"
    old.revoke(2)
    publish(tmp_path, old.crl())
    again = Served(tmp_path / "anew")
    for each in (served, again):
        told = [each.told(request_for(row(old, number))) for number in range(3)]
        assert told == ["GOOD", "REVOKED", "UNAUTHORIZED"]
    again.close()


def test_a_key_that_was_moved_in_is_bound_by_a_challenge(ca, old, tmp_path):
    key = ec.generate_private_key(ec.SECP256R1())
    der = certified(old, key.public_key())
    old.move_key()  # another key, under the CKA_ID that the operator names
    options = ("--token", settings.PKCS11_TOKEN, "--key-id", world.KEY_ID)
    with pytest.raises(CommandError, match="inte certifikatets"):
        accept(tmp_path, der, *options)
    own = load_pem_private_key(old.key.read_bytes(), None)
    assert accept(tmp_path, certified(old, own.public_key()), *options).startswith("function: svarar med certifikat ")
    assert OcspSigner.objects.get().key_id == world.KEY_ID
    presigning.presign_due()
    served = Served(tmp_path / "ocsp")
    assert served.told(request_for(row(old, 0))) == "GOOD"
    served.close()


def test_a_request_is_for_one_key_until_that_is_used(ca, old, tmp_path):
    first, again = asked_for(tmp_path), asked_for(tmp_path)
    assert first.is_signature_valid
    assert first.public_key() == again.public_key()
    der = certified(old, first.public_key())
    told = accept(tmp_path, der)
    assert accept(tmp_path, der) == told
    with pytest.raises(CommandError, match="redan svarat"):
        accept(tmp_path, certified(old, first.public_key()))
    assert asked_for(tmp_path).public_key() != first.public_key()
    assert OcspSigner.objects.count() == 1


def test_what_is_no_responder_of_that_ca_is_refused(ca, old, tmp_path):
    key, small = asked_for(tmp_path).public_key(), rsa.generate_private_key(65537, 1024).public_key()
    another = OldCa(tmp_path / "another")
    refused = {
        "inte utfärdat av utfärdaren": [certified(old, key, key=ec.generate_private_key(ec.SECP256R1())), b"x", another.der()],
        "OCSPSigning": [
            certified(old, key, purposes=()),
            certified(old, key, purposes=(ExtendedKeyUsageOID.CLIENT_AUTH,)),
            certified(old, key, purposes=(ExtendedKeyUsageOID.OCSP_SIGNING, ExtendedKeyUsageOID.CLIENT_AUTH)),
            certified(old, key, nocheck=False),
            certified(old, key, usage=False),
        ],
        "gäller inte nu": [certified(old, key, days=1), certified(old, key, start=DAY)],
        "2048 bitar": [certified(old, small)],
        "finns inte i modulen": [certified(old, ec.generate_private_key(ec.SECP256R1()).public_key())],
        "har här ett annat certifikat": [certified(old, key, serial=world.certificates(old)[0].serial_number)],
        "spärrat": [certified(old, key, serial=world.certificates(old)[1].serial_number)],
    }
    before = Certificate.objects.count()
    for text, ders in refused.items():
        for der in ders:
            with pytest.raises(CommandError, match=text):
                accept(tmp_path, der)
    for wrong in (["--token", "x"], ["--key-id", "ab"]):
        with pytest.raises(CommandError) as told:
            accept(tmp_path, b"x", *wrong)
        assert told.value.returncode == 2
    with pytest.raises(CommandError, match="finns inte"):
        call_command("pki_ocsp_signer", "function", "--certificate", str(tmp_path / "none"))
    assert Certificate.objects.count() == before
    assert not OcspSigner.objects.exists()


def test_a_ca_whose_key_is_here_takes_none(old, tmp_path):
    old.move_key()
    folder = world.manifest(tmp_path / "in", old, "jsonl")
    world.as_jsonl(folder, world.told(old))
    world.approve(folder)
    world.run(folder)
    (tmp_path / "file").write_bytes(b"x")
    for act in ("--request", "--certificate"):
        with pytest.raises(CommandError, match="görs och förnyas av pki-worker"):
            call_command("pki_ocsp_signer", "function", act, str(tmp_path / "file"))
