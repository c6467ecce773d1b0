"""Every profile, as issued: contents, and what pkilint, OpenSSL and GnuTLS say of it."""

import datetime as dt
import json
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from django.conf import settings

from pki import service
from pki.authorities import stored_profiles
from pki.domain.profile_versions import HASHES
from pki.domain.profiles import PROFILES, Profile
from pki.issuing import planning, signing
from pki.models import Certificate, CertificateAuthority, CertificateBlob, ProfileVersion
from siths_portal.lib import clock
from tests.pki import orders
from tests.pki.linting import WARNING, lint
from tests.pki.orders import order, plan

ORDERED = orders.ORDERABLE


def issue(*wanted: service.CertificateOrder) -> list[x509.Certificate]:
    ids = plan(*wanted)
    signing.sign_reserved(ids)
    return [x509.load_der_x509_certificate(view.der) for view in service.certificates(ids)]


@pytest.fixture
def files(demo_pki, tmp_path) -> dict[str, Path]:
    """One certificate of each profile, DER, and the root as PEM."""
    found = dict(zip(ORDERED, issue(*map(order, ORDERED)), strict=True))
    found["function-rsa"] = issue(order("function", csr_der=orders.csr(orders.rsa_key())))[0]
    found["person-id-auth-rsa"] = issue(order("person-id-auth", csr_der=orders.csr(orders.rsa_key())))[0]
    blobs = CertificateBlob.objects.select_related("certificate__profile_version")
    for blob in blobs.filter(certificate__profile_version__name__in=["root-ca", "issuing-ca", "ocsp-signer"]):
        found[blob.certificate.profile_version.name] = x509.load_der_x509_certificate(bytes(blob.der))
    paths = {}
    for name, certificate in found.items():
        paths[name] = tmp_path / f"{name}.der"
        paths[name].write_bytes(certificate.public_bytes(Encoding.DER))
    return paths


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_pkilint_finds_nothing_at_warning(files):
    assert set(files) >= set(PROFILES)
    for name, path in files.items():
        assert lint("lint_pkix_cert", *WARNING, path) == 0, name


def test_pkilint_finds_person_certificates_fit_for_natural_persons(demo_pki, settings, tmp_path):
    settings.STATUS_BASE_URL = "http://status.demo.example.com"  # development's address is no public name
    for name in orders.PERSON_PROFILES:
        path = tmp_path / f"{name}.der"
        path.write_bytes(issue(order(name))[0].public_bytes(Encoding.DER))
        assert lint("lint_etsi_cert", "-t", "NCP-NATURAL-PERSON-CERTIFICATE", *WARNING, path) == 0, name


def test_pkilint_bites(files, tmp_path):
    """The linter would tell: the same certificate with its key usage not critical is found."""
    der = files["person-id-auth"].read_bytes()
    key_usage = bytes.fromhex("0603551d0f0101ff")
    assert key_usage in der
    broken = tmp_path / "broken.der"
    broken.write_bytes(der.replace(key_usage, bytes.fromhex("0603551d0f010100")))
    assert lint("lint_pkix_cert", *WARNING, broken) > 0


def test_openssl_and_gnutls_verify_each_chain(files, tmp_path):
    root = x509.load_der_x509_certificate(files["root-ca"].read_bytes())
    anchor, cas = tmp_path / "root.pem", tmp_path / "cas.pem"
    anchor.write_bytes(root.public_bytes(Encoding.PEM))
    rows = CertificateAuthority.objects.exclude(slug="root")
    issuers = [x509.load_der_x509_certificate(bytes(row.certificate_der)) for row in rows]
    cas.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in issuers))
    for name, path in files.items():
        pem = tmp_path / f"{name}.pem"
        leaf = x509.load_der_x509_certificate(path.read_bytes())
        pem.write_bytes(leaf.public_bytes(Encoding.PEM))
        done = run("openssl", "verify", "-x509_strict", "-CAfile", str(anchor), "-untrusted", str(cas), str(pem))
        assert done.returncode == 0, f"{name}: {done.stderr}"
        between = [each for each in issuers if each.subject == leaf.issuer]
        chain = tmp_path / f"{name}-chain.pem"
        chain.write_bytes(b"".join(each.public_bytes(Encoding.PEM) for each in [leaf, *between]))
        done = run("certtool", "--verify", "--load-ca-certificate", str(anchor), "--infile", str(chain))
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"


def test_a_log_in_certificate_holds_what_relying_parties_read(demo_pki):
    (certificate,) = issue(order("person-hsaid-auth"))
    assert [(a.oid, a.value, a._type.name) for a in certificate.subject] == [
        (NameOID.COUNTRY_NAME, "SE", "PrintableString"),
        (NameOID.ORGANIZATION_NAME, "Demoregionen", "UTF8String"),
        (NameOID.COMMON_NAME, "Åsa Östberg", "UTF8String"),
        (NameOID.SURNAME, "Östberg", "UTF8String"),
        (NameOID.GIVEN_NAME, "Åsa", "UTF8String"),
        (NameOID.SERIAL_NUMBER, "SE2321000016-1003", "PrintableString"),
        (NameOID.TITLE, "Läkare", "UTF8String"),
    ]
    extensions = certificate.extensions
    usage = extensions.get_extension_for_class(x509.KeyUsage)
    assert usage.critical
    assert (usage.value.digital_signature, usage.value.content_commitment, usage.value.key_encipherment) == (True, False, False)
    assert [oid.dotted_string for oid in extensions.get_extension_for_class(x509.ExtendedKeyUsage).value] == [
        "1.3.6.1.5.5.7.3.2", "1.3.6.1.4.1.311.20.2.2", "1.3.6.1.5.5.7.3.4",
    ]  # fmt: skip
    (policy,) = extensions.get_extension_for_class(x509.CertificatePolicies).value
    assert (policy.policy_identifier.dotted_string, policy.policy_qualifiers) == (f"{settings.PKI_POLICY_ARC}.1.3", None)
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.RFC822Name) == ["asa@demo.example.com"]
    (upn,) = names.get_values_for_type(x509.OtherName)
    assert upn.value == b"\x0c\x15" + "åsa@demo.example.com".encode()
    card = extensions.get_extension_for_oid(x509.ObjectIdentifier("1.2.752.34.2.1"))
    assert (card.critical, card.value.value) == (False, b"\x13\x139752269999000000017")
    stem = f"{settings.STATUS_BASE_URL}/crl/demosithseidpersonhsaid3cav1.crl"
    assert extensions.get_extension_for_class(x509.CRLDistributionPoints).value[0].full_name[0].value == stem


def test_the_signing_certificate_only_commits(demo_pki):
    for profile in ("person-hsaid-sign", "person-id-sign"):
        (certificate,) = issue(order(profile))
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
        assert (usage.content_commitment, usage.digital_signature) == (True, False)
        with pytest.raises(x509.ExtensionNotFound):
            certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage)


def test_the_person_id_policy_tells_personnummer_from_samordningsnummer(demo_pki):
    subjects = [orders.PERSON_SUBJECT, orders.PERSON_SUBJECT | {"serialNumber": "189001619808"}]
    oids = []
    for subject in subjects:
        (certificate,) = issue(order("person-id-auth", subject=subject))
        (policy,) = certificate.extensions.get_extension_for_class(x509.CertificatePolicies).value
        oids.append(policy.policy_identifier.dotted_string)
    assert oids == [f"{settings.PKI_POLICY_ARC}.2.3.1", f"{settings.PKI_POLICY_ARC}.2.3.2"]


def test_an_rsa_function_may_encipher_keys_and_an_ec_one_not(demo_pki):
    for key, expected in ((orders.rsa_key(), True), (None, False)):
        (certificate,) = issue(order("function", csr_der=orders.csr(key)))
        assert certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_encipherment is expected
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["api.demo.example.com", "api2.demo.example.com"]
        assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]


def test_issuer_name_and_key_identifier_are_copied_from_the_ca(demo_pki):
    (certificate,) = issue(order())
    ca = CertificateAuthority.objects.current("person-hsaid-3")
    assert certificate.issuer.public_bytes() == bytes(ca.subject_der)
    identifier = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert (identifier.key_identifier.hex(), identifier.authority_cert_issuer) == (ca.ski, None)


def test_validity_ends_with_the_ca(demo_pki):
    ca = CertificateAuthority.objects.current("person-hsaid-3")
    late = ca.not_after - dt.timedelta(days=100)
    with clock.moved_to(late):
        (certificate,) = issue(order())
    assert certificate.not_valid_after_utc == ca.not_after


def test_each_certificate_points_at_the_definition_it_was_made_from(demo_pki):
    ids = plan(order())
    row = Certificate.objects.select_related("profile_version").get(id=ids[0])
    assert row.profile_version.sha256 == PROFILES["person-hsaid-auth"].sha256
    assert Profile.from_definition(row.profile_version.definition) == PROFILES["person-hsaid-auth"]
    assert Profile.from_definition(row.profile_version.definition).sha256 == row.profile_version.sha256
    assert ProfileVersion.objects.filter(name="person-hsaid-auth").count() == 1


@pytest.mark.parametrize("name", sorted(PROFILES))
def test_a_definition_changes_only_with_its_version(name):
    profile = PROFILES[name]
    assert HASHES[f"{name} v{profile.version}"] == profile.sha256


def stored_v1() -> dict[str, dict]:
    """The first versions' definitions, as the table of a database that is older than the second holds them."""
    return json.loads((Path(__file__).parent / "profiles_v1.json").read_text())


@pytest.mark.parametrize(("name", "definition"), stored_v1().items())
def test_the_first_versions_are_still_read_and_keep_their_hash(name, definition):
    profile = Profile.from_definition(definition)
    assert profile.definition() == definition
    assert profile.sha256 == HASHES[name]


@pytest.mark.parametrize("profile", [*orders.PERSON_PROFILES, "function"])
def test_what_was_planned_by_a_first_version_is_signed_after_the_second_came(demo_pki, monkeypatch, profile):
    old = Profile.from_definition(stored_v1()[f"{profile} v1"])
    with monkeypatch.context() as before:
        before.setattr(planning, "PROFILES", {profile: old})
        before.setattr(stored_profiles, "PROFILES", {profile: old})
        ids = plan(order(profile))
    assert signing.sign_reserved(ids) == 1
    row = Certificate.objects.select_related("profile_version").get(id=ids[0])
    assert (row.status, str(row.profile_version)) == ("issued", f"{profile} v1")
    second = plan(order(profile))
    assert signing.sign_reserved(second) == 1
    newer = Certificate.objects.select_related("profile_version").get(id=second[0])
    assert str(newer.profile_version) == f"{profile} v{PROFILES[profile].version}"
