"""F10.2 where OpenSSL and GnuTLS get no signed answer, and where the certificates came from another installation."""

import re
from types import SimpleNamespace

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki.models import Certificate, CertificateAuthority, CertificateBlob
from pki.ocsp import presigning
from pki.ocsp.publishing import Publisher
from tests.pki.ocsp.test_f10_ocsp import CASES, NEVER, Made, gnutls, never_issued, views
from tests.pki.ocsp.test_status_face import request_for
from tests.pki.ocsp.test_status_wire import Wire, openssl
from tests.pki.ocspd.ocspd_stage import ask, ocspd
from tests.pki.takeover import takeover_world
from tests.pki.takeover.takeover_world import OldCa

SAID = {
    "GOOD": "good",
    "MALFORMED_REQUEST": "malformedrequest",
    "TRY_LATER": "trylater",
    "UNAUTHORIZED": "unauthorized",
}  # fmt: skip


@pytest.fixture
def unsigned(world, tmp_path):
    """Two workers of the responder, and a publisher in this process; nobody who signs while they wait."""
    with Publisher(tmp_path / "ocsp") as made:
        made.look()
        with ocspd(tmp_path / "ocsp", tmp_path / "log") as (url, _):
            yield url, made


def openssl_reads(text) -> str:
    """The error, or the status of a verified answer."""
    error = re.search(r"Responder Error: (\w+) \(\d\)", text)
    if error:
        assert "Response verify OK" not in text, text
        return error[1]
    status = re.search(r"Cert Status: (\w+)", text)
    assert status, text
    assert "Response verify OK" in text, text
    return status[1]


def gnutls_reads(text) -> str:
    """The error, or the status."""
    found, status = re.search(r"Response Status: (\w+)", text), re.search(r"Certificate Status: (\w+)", text)
    assert found, text
    if found[1] == "Successful":
        assert status, text
        return status[1]
    assert not status, text
    return found[1].lower()


def readings(url, wire, der, folder) -> tuple[str, str]:
    """What OpenSSL and GnuTLS read in the answer to these bytes, which neither of them would send."""
    answer = folder / "answer"
    answer.write_bytes(ask(url, der).public_bytes(Encoding.DER))
    text = openssl("ocsp", "-respin", answer, "-no_nonce", "-resp_text", "-CAfile", wire.bundle)
    return openssl_reads(text), gnutls_reads(gnutls("--response-info", "--load-response", answer))


def errors(wire, row) -> tuple[set[str], set[str]]:
    """What OpenSSL and GnuTLS are refused with when they ask for themselves, by either hash, with and without a nonce."""
    told = {openssl_reads(wire.ask(row, digest, nonce)) for digest in ("-sha1", "-sha256") for nonce in ("-nonce", "-no_nonce")}
    about = ("--load-cert", wire.certificate, "--load-issuer", wire.issuer, "--load-trust", wire.bundle)
    asked = f"--ask={wire.url}/ocsp"
    return told, {gnutls_reads(gnutls(asked, *options, *about)) for options in ((), ("--nonce",))}


def test_f10_2_openssl_and_gnutls_are_refused_alike(unsigned, world, tmp_path):
    url, made = unsigned
    wire, late, fresh = Wire(url, world, tmp_path), world.issue(), world.issue(world.second)
    made.look()
    for row, expected in (
        (late, "trylater"),
        (fresh, "trylater"),
        (never_issued(world), "unauthorized"),
        (world.issue(status="failed"), "unauthorized"),
        (world.issue(status="reserved"), "unauthorized"),
    ):
        assert errors(wire, row) == ({expected}, {expected})
        assert readings(url, wire, request_for(row), tmp_path) == (expected, expected)


def test_f10_3_openssl_and_gnutls_read_each_answer_alike(unsigned, world, tmp_path):
    url, published = unsigned
    made, wire = Made(world), Wire(url, world, tmp_path)
    presigning.presign([made.row.id])
    presigning.presign_all(world.root)
    published.look()
    for name, (expected, request) in CASES.items():
        told = "UNAUTHORIZED" if expected == NEVER else expected  # nobody signs for who waits
        assert readings(url, wire, request(made), tmp_path) == (SAID[told],) * 2, name


def test_f10_2_openssl_and_gnutls_see_imported_certificates_and_bare_serials_alike(own_tokens, transactional_db, tmp_path):
    """Two certificates come whole and two as serials, of each one revoked; their holders have all four."""
    old = OldCa(tmp_path / "old")
    old.issue(4)
    old.revoke(1, "keyCompromise")
    old.revoke(3, "superseded")
    old.move_key()
    made = takeover_world.certificates(old)
    whole = takeover_world.told(old)
    for line, each in list(zip(whole, made, strict=True))[2:]:
        del line["der"]
        line |= {"not_before": each.not_valid_before_utc.isoformat(), "not_after": each.not_valid_after_utc.isoformat()}
    folder = takeover_world.manifest(tmp_path / "in", old, "jsonl")
    takeover_world.as_jsonl(folder, whole)
    takeover_world.add_crl(folder, old.crl())
    takeover_world.approve(folder)
    takeover_world.run(folder)
    ca = CertificateAuthority.objects.get(slug="function")
    serials = [takeover_world.text(each.serial_number) for each in made]
    assert Certificate.objects.filter(ca=ca, serial__in=serials).count() == 4
    assert CertificateBlob.objects.filter(certificate__serial__in=serials).count() == 2
    presigning.presign_due()
    wire = Wire("", SimpleNamespace(root=ca, first=ca, second=ca), tmp_path)
    with Publisher(tmp_path / "ocsp") as publisher:
        publisher.look()
        with ocspd(tmp_path / "ocsp", tmp_path / "log") as (url, _):
            wire.url = url
            for each, seen in zip(
                made, (("good", ""), ("revoked", "keyCompromise"), ("good", ""), ("revoked", "superseded")), strict=True
            ):
                blob = SimpleNamespace(der=each.public_bytes(Encoding.DER))
                row = SimpleNamespace(ca=ca, serial=takeover_world.text(each.serial_number), blob=blob)
                assert views(url, wire, row, tmp_path) == ({seen}, {seen[0]})
