"""The key ceremony on real tokens: what it makes, that repeating changes nothing, that a cut finishes, and what it refuses."""

import hashlib
import json
import os
import subprocess
import sys

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID
from django.conf import settings
from django.core.management import CommandError, call_command

from pki import service
from pki.ceremonies import execution
from pki.domain.ceremony_file import CeremonyFileError, parse
from pki.hsm import hsm_for
from pki.hsm.token_keys import SERVICE_KEYS
from pki.models import Certificate, CertificateAuthority, Crl, Event, HsmKey, OcspResponse, OcspSigner
from siths_portal.lib.errors import Conflict
from tests.forking import until_gone
from tests.pki.conftest import small_file
from tests.pki_fixtures import DEMO_FILE, approved, demo_file

SLUGS = ["root", "person-hsaid-3", "person-hsaid-2", "person-id-3", "person-id-2", "person-id-mobile", "function", "demo-bulk"]


def certificate_of(ca: CertificateAuthority) -> x509.Certificate:
    return x509.load_der_x509_certificate(bytes(ca.certificate_der))


def test_the_hierarchy_is_that_of_the_file(demo_pki):
    authorities = service.authorities()
    assert [each.slug for each in authorities] == SLUGS
    assert {each.slug: each.state for each in authorities if each.state != "active"} == {
        "root": "offline",
        "demo-bulk": "status_only",
    }
    root = x509.load_der_x509_certificate(authorities[0].certificate)
    for each in authorities:
        certificate = x509.load_der_x509_certificate(each.certificate)
        certificate.verify_directly_issued_by(root)
        assert certificate.subject.rfc4514_string() == f"CN={each.common_name},O=Demo e-legitimationer AB,C=SE"
        assert service.chain(each.slug) == (
            [each.certificate] if each.slug == "root" else [each.certificate, authorities[0].certificate]
        )


def test_ca_certificates_have_the_extensions_of_the_profile_in_order(demo_pki):
    root = certificate_of(CertificateAuthority.objects.current("root"))
    assert [e.oid._name for e in root.extensions] == [
        "authorityKeyIdentifier",
        "subjectKeyIdentifier",
        "keyUsage",
        "basicConstraints",
    ]
    assert root.signature_hash_algorithm.name == "sha256"
    assert root.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length is None
    issuing = certificate_of(CertificateAuthority.objects.current("function"))
    assert [e.oid._name for e in issuing.extensions] == [
        "authorityKeyIdentifier", "subjectKeyIdentifier", "keyUsage", "certificatePolicies", "basicConstraints",
        "cRLDistributionPoints", "authorityInfoAccess",
    ]  # fmt: skip
    assert issuing.signature_hash_algorithm.name == "sha512"
    constraints = issuing.extensions.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca, constraints.value.path_length) == (True, True, 0)
    points = issuing.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name[0].value == f"{settings.STATUS_BASE_URL}/crl/demosithseidrootcav2.crl"
    access = {
        each.access_method: each.access_location.value
        for each in issuing.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    }
    assert access == {
        AuthorityInformationAccessOID.OCSP: f"{settings.STATUS_BASE_URL}/ocsp",
        AuthorityInformationAccessOID.CA_ISSUERS: f"{settings.STATUS_BASE_URL}/aia/demosithseidrootcav2.cer",
    }


def test_keys_lie_in_their_tokens_and_never_leave(demo_pki):
    for ca in CertificateAuthority.objects.all():
        assert ca.token_label == (settings.PKCS11_ROOT_TOKEN if ca.slug == "root" else settings.PKCS11_TOKEN)
        described = hsm_for(ca.token_label).attributes(ca.key_id).attributes
        assert described["NEVER_EXTRACTABLE"]
        assert described["LOCAL"]
        assert not described["EXTRACTABLE"]
        spki = bytes(HsmKey.objects.get(key_id=ca.key_id).public_key_der)
        assert hashlib.sha256(spki).hexdigest()[:40] == ca.key_id
        assert certificate_of(ca).public_key() == hsm_for(ca.token_label).public_key(ca.key_id)
    others = HsmKey.objects.exclude(purpose__in=["ca", "ocsp"])
    assert dict(others.values_list("purpose", "algorithm")) == {str(purpose): str(key) for purpose, key in SERVICE_KEYS.items()}


def test_each_issuing_ca_has_a_responder_of_its_own(demo_pki):
    signers = {signer.ca.slug: signer for signer in OcspSigner.objects.select_related("ca")}
    assert set(signers) == set(SLUGS) - {"root", "demo-bulk"}
    for signer in signers.values():
        certificate = x509.load_der_x509_certificate(bytes(signer.certificate_der))
        certificate.verify_directly_issued_by(certificate_of(signer.ca))
        assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
        assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == 30
        assert list(certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
            ExtendedKeyUsageOID.OCSP_SIGNING
        ]
        assert certificate.extensions.get_extension_for_class(x509.OCSPNoCheck).critical is False


def test_status_is_published_for_every_ca(demo_pki):
    for ca in CertificateAuthority.objects.all():
        assert (demo_pki.status / "aia" / f"{ca.file_stem}.cer").read_bytes() == bytes(ca.certificate_der)
        crl = x509.load_der_x509_crl((demo_pki.status / "crl" / f"{ca.file_stem}.crl").read_bytes())
        assert crl.is_signature_valid(certificate_of(ca).public_key())
        assert len(crl) == 0
    root = CertificateAuthority.objects.current("root")
    answered = OcspResponse.objects.filter(certificate__ca=root)
    assert answered.count() == 2 * len(SLUGS)
    assert all((answer.next_update - answer.this_update).days == 365 for answer in answered)


def test_the_transcript_names_every_output(demo_pki):
    content = json.loads(demo_pki.transcript.read_text())
    assert content["file_sha256"] == hashlib.sha256(demo_file()).hexdigest()
    assert [each["role"] for each in content["participants"]] == ["Ceremoniledare", "Nyckelförvaltare", "Vittne"]
    files = {each["file"]: each["certificate_sha256"] for each in content["authorities"]}
    files |= {each["file"]: each["sha256"] for each in content["crls"]}
    for name, digest in files.items():
        (path,) = demo_pki.status.rglob(name)
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest
    assert {each["cka_id"] for each in content["keys"]} == set(HsmKey.objects.values_list("key_id", flat=True))
    assert all(each["attributes"]["NEVER_EXTRACTABLE"] for each in content["keys"])
    assert len(content["ocsp_answers"]) == 2 * len(SLUGS)
    event = Event.objects.get(action="ceremony.completed")
    assert event.facts["transcript_sha256"] == hashlib.sha256(demo_pki.transcript.read_bytes()).hexdigest()
    text = demo_pki.transcript.with_suffix(".txt").read_text()
    assert content["authorities"][0]["certificate_sha256"] in text


def everything() -> list:
    """Ids and contents of all rows that a ceremony makes."""
    models = (CertificateAuthority, Certificate, HsmKey, OcspSigner, OcspResponse, Crl, Event)
    return [list(model.objects.order_by("pk").values()) for model in models]


def test_the_same_file_again_changes_nothing(demo_pki, tmp_path, capsys):
    path = tmp_path / "demo.yaml"
    path.write_bytes(demo_file())
    before, keys_before = everything(), hsm_for(settings.PKCS11_TOKEN).inventory()
    call_command("pki_ceremony", str(path))
    assert "inget är ändrat" in capsys.readouterr().out
    assert everything() == before
    assert hsm_for(settings.PKCS11_TOKEN).inventory() == keys_before
    call_command("pki_ceremony", str(path), dry_run=True)
    assert capsys.readouterr().out == "inget att göra\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"not_after: 2049-09-15T20:00:00Z", b"not_after: 2048-09-15T20:00:00Z"),
        (b"organization: Demo e-legitimationer AB", b"organization: Annan AB"),
        (b"state: status_only", b"state: active"),
    ],
)
def test_another_description_of_a_ca_is_refused(demo_pki, tmp_path, old, new):
    content = demo_file().replace(old, new)
    assert content != demo_file()
    path = tmp_path / "other.yaml"
    path.write_bytes(content)
    before = everything()
    with pytest.raises(CommandError, match="finns redan med en annan beskrivning") as refused:
        call_command("pki_ceremony", str(path))
    assert refused.value.returncode == 1
    assert everything() == before


def test_a_new_ca_is_added_to_those_that_are(demo_pki, tmp_path):
    addition = b"""
  - slug: person-hsaid-3
    generation: 2
    common_name: DEMO SITHS e-id Person HSA-id 3 CA v2
    parent: root
    token: issuing
    key: rsa-2048
    not_after: 2049-09-15T20:00:00Z
    state: active
    crl: {period: 60m, validity: 48h}
    ocsp_signer: ec-p256
"""
    with pytest.raises(CeremonyFileError):  # one file describes a slug once
        parse(demo_file() + addition)
    head, _, tail = demo_file().partition(b"  - slug: person-hsaid-3")
    rest = tail[tail.index(b"  - slug:") :]
    outcome = execution.perform(approved(head + addition.lstrip(b"\n") + rest))
    assert outcome.changed
    assert [ca.generation for ca in CertificateAuthority.objects.filter(slug="person-hsaid-3").order_by("id")] == [1, 2]
    assert CertificateAuthority.objects.current("person-hsaid-3").common_name.endswith("v2")
    assert service.chain("person-hsaid-3")[0] == bytes(CertificateAuthority.objects.current("person-hsaid-3").certificate_der)


@pytest.mark.django_db(transaction=True)
def test_a_name_that_is_not_the_demos_is_refused_in_development(settings):
    settings.DEBUG = True
    with pytest.raises(Conflict) as refused:
        execution.perform(parse(demo_file().replace(b"common_name: DEMO SITHS e-id", b"common_name: Some")))
    assert refused.value.code == "ca-name-not-demo"
    assert not CertificateAuthority.objects.exists()


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (b"rsa-4096", b"rsa-1024", "key ska vara"),
        (b"state: active", b"state: aktiv", "state ska vara"),
        (b"parent: root", b"parent: missing", "utfärdas inte av missing"),
        (b"2049-09-15T20:00:00Z", b"2049-09-15", "tid med tidszon"),
        (b"secret_keys: true", b"secret_keys: ja", "true eller false"),
        (b"validity: 48h", b"validity: 30m", "gälla längre"),
        (b"    token: issuing\n", b"    token: issuing\n    colour: red\n", "okänt colour"),
        (b"country: SE\n", b"", "country saknas"),
        (b"ceremony:", b"ceremony: [", "inte YAML"),
        (b"slug: function", b"slug: root", "två gånger"),
        (b"slug: function", b"slug: unknown", "ingen OCSP-signerare"),
        (b"root", b"rot", "profilen root-ca utfärdas inte av rot|token ska vara"),
    ],
)
def test_a_file_that_cannot_be_followed_is_wrong_use(tmp_path, old, new, text):
    content = demo_file("rsa-4096").replace(old, new)
    assert content != demo_file("rsa-4096")
    path = tmp_path / "wrong.yaml"
    path.write_bytes(content)
    with pytest.raises(CommandError, match=text) as refused:
        call_command("pki_ceremony", str(path))
    assert refused.value.returncode == 2
    assert "\n" not in str(refused.value)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("own_tokens")
class TestCut:
    """A ceremony that loses power at a named point is finished by following the same file again."""

    @pytest.mark.timeout(900)
    @pytest.mark.parametrize("point", ["pki.key.before-commit", "pki.ceremony.after-key", "pki.ceremony.after-certificate"])
    def test_repeating_finishes(self, point, tmp_path, tally):
        path, armed = tmp_path / "cut.yaml", tmp_path / "armed"
        path.write_bytes(small_file())
        approved(small_file())
        armed.mkdir()
        command = [sys.executable, "manage.py", "pki_ceremony", str(path)]
        for _ in range(3):
            (armed / point).touch()
            environment = os.environ | {"SITHS_FAULT_DIR": str(armed), "PGAPPNAME": "cut"}
            died = subprocess.run(command, cwd=settings.BASE_DIR, env=environment, capture_output=True, check=False)
            assert died.returncode == -9, died.stderr
            until_gone("cut")  # till then another ceremony goes on
        done = subprocess.run(command, cwd=settings.BASE_DIR, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert list(CertificateAuthority.objects.order_by("id").values_list("slug", "state")) == [
            ("root", "offline"),
            ("person-hsaid-3", "active"),
            ("function", "active"),
            ("demo-bulk", "status_only"),
        ]
        assert Certificate.objects.exclude(status="issued").count() == 0
        assert Certificate.objects.count() == 6  # four CAs and two responders
        in_tokens = [
            each.key_id for label in (settings.PKCS11_TOKEN, settings.PKCS11_ROOT_TOKEN) for each in hsm_for(label).inventory()
        ]
        assert sorted(in_tokens) == sorted(HsmKey.objects.values_list("key_id", flat=True))
        assert len(in_tokens) == 6 + len(SERVICE_KEYS)
        authorities = CertificateAuthority.objects.values_list("slug", flat=True)
        tally.run(["root", "person-hsaid-3", "function", "demo-bulk"], authorities, "CAs")


@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def test_the_demos_own_file_with_its_full_keys(own_tokens, settings, tmp_path):
    approved(DEMO_FILE.read_bytes())
    call_command("pki_ceremony", str(DEMO_FILE))
    keys = [certificate_of(ca).public_key() for ca in CertificateAuthority.objects.all()]
    assert len(keys) == 8
    assert all(isinstance(key, rsa.RSAPublicKey) and key.key_size == 4096 for key in keys)
    root = tmp_path / "root.pem"
    root.write_bytes(certificate_of(CertificateAuthority.objects.current("root")).public_bytes(Encoding.PEM))
    for ca in CertificateAuthority.objects.exclude(slug="root"):
        leaf = tmp_path / f"{ca.slug}.pem"
        leaf.write_bytes(certificate_of(ca).public_bytes(Encoding.PEM))
        done = subprocess.run(
            ["openssl", "verify", "-x509_strict", "-CAfile", str(root), str(leaf)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
