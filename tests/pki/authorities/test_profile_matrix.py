"""Every profile with every type of issuer's and subject's key: what OpenSSL, GnuTLS, NSS and pkilint say of it."""

import dataclasses
import re
import subprocess
from pathlib import Path

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography.hazmat.primitives.serialization import Encoding
from django.conf import settings

from pki.domain import keys, qc_statements
from pki.domain.profiles import PROFILES
from pki.issuing import pkilint
from tests.pki import orders
from tests.pki.authorities import golden
from tests.pki.authorities.golden import Golden
from tests.pki.linting import WARNING, lint, lint_by_program

# What a certificate may be used for, as OpenSSL names it (verify -purpose) and as NSS numbers it (vfychain -u, 0 for none).
PURPOSES = {"sslclient": "0", "sslserver": "1", "smimesign": "4", "ocsphelper": "10", "timestampsign": ""}
USES = {
    "person-hsaid-auth": {"sslclient", "smimesign"},
    "person-hsaid-sign": {"smimesign"},
    "person-id-auth": {"sslclient"},
    "person-id-sign": {"smimesign"},
    "mobile-auth": {"sslclient"},
    "mobile-sign": {"smimesign"},
    "transport": {"sslclient"},
    "function": {"sslclient", "sslserver"},
    "seal": {"smimesign"},
    "time-stamp": {"timestampsign"},
    "letter": set(),
    "ocsp-signer": {"ocsphelper"},
}
cells = pytest.mark.parametrize(("profile", "issuer_key", "subject_key"), golden.matrix(), ids=map("/".join, golden.matrix()))


@pytest.fixture
def made(profile, issuer_key, subject_key) -> Golden:
    return golden.golden(profile, issuer_key, subject_key)


@pytest.fixture(scope="session")
def nss(tmp_path_factory) -> str:
    """An empty database of NSS: what is trusted is said in each call."""
    folder = f"sql:{tmp_path_factory.mktemp('nss')}"
    assert run("certutil", "-N", "-d", folder, "--empty-password").returncode == 0
    return folder


def run(*command: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)


def vfychain(database: str, usage: str, chain: list) -> str:
    """What NSS says, by its newer library (-pp)."""
    done = run("vfychain", "-d", database, "-pp", "-u", usage, *chain)
    return done.stdout + done.stderr


def pem(*ders: bytes) -> bytes:
    return b"".join(golden.x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in ders)


def test_the_matrix_is_whole():
    profiles = {profile for profile, _issuer, _subject in golden.matrix()}
    assert profiles == set(PROFILES)
    assert len(golden.matrix()) == 11 * 4 + 2 + 2 * 2
    assert set(USES) == {name for name in PROFILES if not PROFILES[name].basic_constraints}


@cells
def test_openssl_verifies_the_chain_for_its_uses_alone(made, tmp_path):
    own, anchor, between = tmp_path / "own.pem", tmp_path / "root.pem", tmp_path / "between.pem"
    own.write_bytes(pem(made.der))
    anchor.write_bytes(pem(made.above[-1]))
    between.write_bytes(pem(*made.above[:-1]))
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", anchor, *(["-untrusted", between] if made.above[1:] else [])]
    done = run(*verify, own)
    assert done.returncode == 0, done.stderr
    if made.profile in USES:
        good = {purpose for purpose in PURPOSES if run(*verify, "-purpose", purpose, own).returncode == 0}
        # OpenSSL asks for no extended key usage of an OCSP responder at this place, and lets seals be S/MIME.
        assert good - {"ocsphelper"} == USES[made.profile] - {"ocsphelper"}


@cells
def test_gnutls_verifies_the_chain(made, tmp_path):
    chain, anchor = tmp_path / "chain.pem", tmp_path / "root.pem"
    chain.write_bytes(pem(made.der, *made.above[:-1]))
    anchor.write_bytes(pem(made.above[-1]))
    done = run("certtool", "--verify", "--load-ca-certificate", anchor, "--infile", chain)
    assert done.returncode == 0, done.stdout + done.stderr
    other = golden.root(next(key for key in golden.ISSUER_KEYS if key != made.issuer_key))
    anchor.write_bytes(pem(other))
    assert run("certtool", "--verify", "--load-ca-certificate", anchor, "--infile", chain).returncode != 0


@cells
def test_nss_verifies_the_chain_for_its_uses_alone(made, tmp_path, nss):
    own, above = made.write(tmp_path)
    chain = [own, *above[:-1], "-t", above[-1]]
    if PROFILES[made.profile].basic_constraints:
        assert "Chain is good" in vfychain(nss, "3", chain)
        return
    asked = {purpose: number for purpose, number in PURPOSES.items() if number}
    said = {purpose: vfychain(nss, number, chain) for purpose, number in asked.items()}
    good = {purpose for purpose, text in said.items() if "Chain is good" in text}
    # NSS knows no time stamping here: it says that the certificate is not for what was asked, and finds nothing else.
    assert good == USES[made.profile] - {"timestampsign"}
    if not good:
        assert all("-8101" in text or "-8102" in text for text in said.values())


@cells
def test_pkilint_finds_nothing(made, settings):
    settings.STATUS_BASE_URL = golden.STATUS
    assert pkilint.findings(made.der, made.profile) == []


@pytest.mark.parametrize("name", sorted(pkilint.ETSI_TYPES))
def test_pkilint_tells_by_etsis_rules(settings, name):
    """The same certificate without what EN 319 412 wants of its kind of subject is found, and only by those rules."""
    settings.STATUS_BASE_URL = golden.STATUS
    profile = dataclasses.replace(PROFILES[name], subject=PROFILES[name].subject[:1], keys=("ec-p256",))
    leaf = golden.leaf(name, "ec-p384", "ec-p256")
    assert pkilint.findings(leaf.der, name) == []
    ca = golden.issuer_of(next(iter(profile.issuers)), golden.issuing_ca("ec-p384", next(iter(profile.issuers))))
    content = golden.Content(
        {"countryName": "SE"}, {}, leaf.certificate.public_key(), golden.serial(), golden.NOW,
        leaf.certificate.not_valid_after_utc, (f"{golden.ARC}.1",), orders.CARD if profile.card_number else None,
    )  # fmt: skip
    broken = golden.sign(golden.tbs.build(profile, ca, content), golden.private_key("ec-p384", 2))
    assert pkilint.findings(broken, "function") == []
    assert any(code.startswith("etsi.") for code in pkilint.findings(broken, name))


def test_pkilint_tells_by_rfc_5280(settings):
    settings.STATUS_BASE_URL = golden.STATUS
    der = golden.leaf("person-id-auth", "ec-p384", "ec-p256").der
    key_usage = bytes.fromhex("0603551d0f0101ff")
    assert key_usage in der
    broken = der.replace(key_usage, bytes.fromhex("0603551d0f010100"))
    assert pkilint.findings(broken, "person-id-auth") != []


@pytest.mark.parametrize("issuer_key", golden.ISSUER_KEYS)
def test_what_is_to_be_signed_is_linted_under_a_throw_away_key(settings, issuer_key):
    settings.STATUS_BASE_URL = golden.STATUS
    leaf = golden.leaf("person-hsaid-auth", issuer_key, "rsa-2048")
    to_be_signed = leaf.certificate.tbs_certificate_bytes
    key = golden.private_key(issuer_key, 2).public_key()
    assert pkilint.findings_before_signing(to_be_signed, key, leaf.profile) == []
    not_critical = to_be_signed.replace(bytes.fromhex("0603551d0f0101ff"), bytes.fromhex("0603551d0f010100"))
    assert pkilint.findings_before_signing(not_critical, key, leaf.profile) != []


def test_the_linter_of_chains_finds_nothing(tmp_path):
    for issuer_key in golden.ISSUER_KEYS:
        own, above = golden.leaf("person-hsaid-sign", issuer_key, "rsa-2048").write(tmp_path)
        for signer, signed in ((above[0], own), (above[1], above[0]), (above[1], above[1])):
            assert lint("lint_pkix_signer_signee_cert_chain", *WARNING, signer, signed) == 0
    assert lint_by_program("lint_pkix_signer_signee_cert_chain", *WARNING, own, above[1]) > 0, "not its issuer"


@cells
def test_the_issuers_hash_is_as_strong_as_its_key(made):
    algorithm = asn1_x509.Certificate.load(made.der)["signature_algorithm"]
    if made.issuer_key == "ec-p384":
        assert (algorithm.signature_algo, algorithm.hash_algo) == ("ecdsa", "sha384")
    else:
        expected = "sha512" if made.profile == "issuing-ca" else "sha256"
        assert (algorithm.signature_algo, algorithm.hash_algo) == ("rsassa_pkcs1v15", expected)


# --- the optional block of qualified certificates -----------------------------------------------------------------------

QUALIFIED = {
    "compliance": True,
    "sscd": True,
    "pds": [["https://pki.demo.example.com/pds_sv.pdf", "sv"], ["https://pki.demo.example.com/pds_en.pdf", "en"]],
    "type": "esign",
}


def test_no_profile_has_qc_statements():
    assert not any(profile.qc_statements for profile in PROFILES.values())


def test_a_profile_with_the_block_has_the_statements_and_another_hash(monkeypatch):
    plain = PROFILES["person-id-sign"]
    qualified = dataclasses.replace(plain, version=99, qc_statements=QUALIFIED)
    assert qualified.sha256 != plain.sha256
    assert type(plain).from_definition(qualified.definition()) == qualified
    monkeypatch.setitem(PROFILES, "person-id-sign", qualified)
    leaf = golden.leaf("person-id-sign", "rsa-4096", "rsa-2048")
    extension = leaf.certificate.extensions[-1]
    assert (extension.oid.dotted_string, extension.critical) == ("1.3.6.1.5.5.7.1.3", False)
    statements = qc_statements._Statements.load(extension.value.value)
    found = {each["statement_id"].native: each["statement_info"] for each in statements}
    assert list(found) == ["0.4.0.1862.1.1", "0.4.0.1862.1.4", "0.4.0.1862.1.5", "0.4.0.1862.1.6"]
    assert pkilint.findings(leaf.der, "function") == []  # RFC 5280 and RFC 3739


def test_an_unknown_statement_is_refused():
    with pytest.raises(ValueError, match="limit"):
        qc_statements.build({"limit": 1})


def test_the_practice_statement_gives_the_keys_of_each_profile() -> None:
    text = (Path(settings.BASE_DIR) / "docs" / "practice-statement.md").read_text()
    for profile in PROFILES.values():
        if profile.basic_constraints:
            continue
        line = next(line for line in text.splitlines() if line.startswith("- Keys by profile:") and f"`{profile.name}`" in line)
        assert re.search(rf"takes? {re.escape(keys.description(profile.keys))}\. \[", line), profile.name
