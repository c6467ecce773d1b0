"""A signature made elsewhere, seen from outside: pyHanko's validator, poppler's pdfsig, OpenSSL's CMS, the attributes."""

import datetime as dt
import hashlib
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import pikepdf
import pytest
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from pyhanko.pdf_utils.reader import PdfFileReader

from siths_portal.lib import clock
from siths_portal.lib.pdf import pades, rendering

HTML = (
    '<!DOCTYPE html><html lang="sv"><head><title>Prov</title><style>body{font-family:"DejaVu Sans"}</style></head>'
    "<body><h1>Prov</h1></body></html>"
)
DAY = dt.timedelta(days=1)


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.DER)


def certify(name: str, public: Any, issuer: str, key: Any, *, ca: bool, end: dt.timedelta = DAY, signing: bool = True) -> bytes:
    """A certificate as small as pyHanko's validator takes it."""
    never = ("key_encipherment", "data_encipherment", "key_agreement", "crl_sign", "encipher_only", "decipher_only")
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(clock.now() - 2 * DAY)
        .not_valid_after(clock.now() + end)
        .add_extension(x509.BasicConstraints(ca, None), True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), False)
    )
    usage = x509.KeyUsage(
        digital_signature=not signing, content_commitment=signing and not ca, key_cert_sign=ca, **dict.fromkeys(never, False)
    )
    return der(builder.add_extension(usage, True).sign(key, hashes.SHA256()))


@dataclass(frozen=True)
class Hand:
    """One who signs: key, certificate, chain."""

    key: Any
    signer: pades.Signer
    root: bytes

    def sign(self, data: bytes) -> bytes:
        if isinstance(self.key, ec.EllipticCurvePrivateKey):
            return self.key.sign(data, ec.ECDSA(hashes.SHA256()))
        return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def hand(*, p256: bool = False, **options: Any) -> Hand:
    return _hand(p256=p256, **options)


@cache
def _hand(*, p256: bool, **options: Any) -> Hand:
    root_key, ca_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = certify("Root", root_key.public_key(), "Root", root_key, ca=True, end=20 * DAY)
    issuer = certify("CA", ca_key.public_key(), "Root", root_key, ca=True, end=10 * DAY)
    key = ec.generate_private_key(ec.SECP256R1()) if p256 else rsa.generate_private_key(65537, 2048)
    leaf = certify("Prov Provsson", key.public_key(), "CA", ca_key, ca=False, **options)
    return Hand(key, pades.Signer(leaf, [issuer, root]), root)


@cache
def plain() -> bytes:
    return rendering.render(rendering.PdfSource(HTML, b'{"a":1}', "kvittens.json", "Uppgifterna", "2026-01-02"))


def prepared(*, p256: bool = False) -> pades.Prepared:
    return _prepared(p256)


@cache
def _prepared(p256: bool) -> pades.Prepared:
    return pades.prepare(plain(), hand(p256=p256).signer, field_name="Kvittens")


def signed(*, p256: bool = False) -> bytes:
    return _signed(p256)


@cache
def _signed(p256: bool) -> bytes:
    by, ready = hand(p256=p256), prepared(p256=p256)
    return pades.embed(ready, by.signer, by.sign(ready.signed_attributes))


def check(content: bytes, by: Hand | None = None) -> None:
    by = by or hand()
    pades.validate(content, root=by.root, chain=by.signer.chain)


@pytest.mark.parametrize("p256", [False, True], ids=["rsa-2048", "ec-p256"])
def test_a_signature_made_elsewhere_is_valid(tmp_path: Path, p256: bool) -> None:
    check(signed(p256=p256), hand(p256=p256))
    path = tmp_path / "signed.pdf"
    path.write_bytes(signed(p256=p256))
    shown = subprocess.run(["pdfsig", "-nocert", str(path)], capture_output=True, text=True, check=False).stdout
    assert "Signature Validation: Signature is Valid." in shown
    assert "Total document signed" in shown
    assert "ETSI.CAdES.detached" in shown


def test_what_is_signed_is_the_document_and_nothing_else() -> None:
    first, length, second, rest = prepared().byte_range
    covered = prepared().pdf[first : first + length] + prepared().pdf[second : second + rest]
    assert len(covered) == length + rest
    digest = hashlib.sha256(covered).digest()
    assert prepared().document_digest == digest
    attributes = {item["type"].native: item["values"] for item in cms.CMSAttributes.load(prepared().signed_attributes)}
    assert set(attributes) == {"content_type", "message_digest", "signing_certificate_v2", "commitment_type"}
    assert attributes["message_digest"].native == [digest]
    assert attributes["content_type"].native == ["data"]
    named = attributes["signing_certificate_v2"][0]["certs"][0]["cert_hash"].native
    assert named == hashlib.sha256(hand().signer.certificate).digest()
    assert attributes["commitment_type"][0]["commitment_type_id"].native == "proof_of_receipt"
    assert prepared().signed_attributes[0] == 0x31  # the SET OF that RFC 5652 section 5.4 has signed


def test_only_the_room_is_filled() -> None:
    _, length, second, _ = prepared().byte_range
    before, after = prepared().pdf, signed()
    assert len(before) == len(after)
    assert (before[:length], before[second:]) == (after[:length], after[second:])
    assert before[length:second] != after[length:second]


@pytest.mark.parametrize("p256", [False, True], ids=["rsa-2048", "ec-p256"])
def test_the_cms_holds_signer_and_issuer_and_verifies_by_openssl(tmp_path: Path, p256: bool) -> None:
    by, content = hand(p256=p256), signed(p256=p256)
    signature = PdfFileReader(BytesIO(content)).embedded_signatures[0]
    held = {certificate.chosen.dump() for certificate in signature.signed_data["certificates"]}
    assert held == {by.signer.certificate, by.signer.chain[0]}
    algorithm = signature.signed_data["signer_infos"][0]["signature_algorithm"]
    assert algorithm["algorithm"].native == ("sha256_ecdsa" if p256 else "sha256_rsa")
    _, length, second, _ = prepared(p256=p256).byte_range
    (tmp_path / "content").write_bytes(content[:length] + content[second:])
    (tmp_path / "cms").write_bytes(cms.ContentInfo({"content_type": "signed_data", "content": signature.signed_data}).dump())
    root = x509.load_der_x509_certificate(by.root).public_bytes(serialization.Encoding.PEM)
    (tmp_path / "root.pem").write_bytes(root)
    done = subprocess.run(
        ["openssl", "cms", "-verify", "-inform", "DER", "-in", str(tmp_path / "cms"), "-content", str(tmp_path / "content"),
         "-binary", "-CAfile", str(tmp_path / "root.pem"), "-purpose", "any", "-out", "/dev/null"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_archive_form_and_the_attachment_survive() -> None:
    assert rendering.judge(signed(), b'{"a":1}') is None
    with pikepdf.open(BytesIO(signed())) as document:
        with document.open_metadata() as metadata:
            assert (metadata["pdfaid:part"], metadata["pdfaid:conformance"]) == ("3", "A")
        assert document.check_pdf_syntax() == []
        widget = next(iter(document.Root.AcroForm.Fields))
        assert int(widget.F) & 4  # printed, as PDF/A demands of each annotation
        assert not int(widget.F) & 2


def test_another_signature_is_not_valid() -> None:
    other = hand().sign(b"something else")
    with pytest.raises(pades.NotValid, match="intact"):
        check(pades.embed(prepared(), hand().signer, other))


def test_changed_bytes_are_not_valid() -> None:
    changed = bytearray(signed())
    position = changed.index(b"/Title")
    changed[position + 8] ^= 1
    with pytest.raises(pades.NotValid):
        check(bytes(changed))


def test_what_is_added_afterwards_is_not_valid() -> None:
    with pytest.raises(pades.NotValid):
        check(signed() + b"\n%added")


def test_another_root_is_not_trusted() -> None:
    other = hand(end=2 * DAY)
    with pytest.raises(pades.NotValid, match="trusted"):
        pades.validate(signed(), root=other.root, chain=[])


@pytest.mark.parametrize("options", [{"end": -DAY}, {"signing": False}])
def test_an_ended_certificate_or_one_for_log_in_is_not_good_enough(options: dict[str, Any]) -> None:
    by = hand(**options)
    ready = pades.prepare(plain(), by.signer, field_name="Kvittens")
    with pytest.raises(pades.NotValid):
        check(pades.embed(ready, by.signer, by.sign(ready.signed_attributes)), by)


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7\nnonsense\n%%EOF", b"x" * 1000])
def test_what_is_no_pdf_is_not_valid(content: bytes) -> None:
    with pytest.raises(pades.NotValid):
        check(content)


def test_an_unsigned_file_is_not_valid() -> None:
    with pytest.raises(pades.NotValid, match="not one signature"):
        check(plain())


def test_attributes_of_cms_may_be_used_before_the_first_signature() -> None:
    """asn1crypto then knows the attribute's names already, without those that pyHanko adds."""
    use = "from asn1crypto.cms import CMSAttributeType as T; T('content_type')"
    ours = "import siths_portal.lib.pdf.pades_pyhanko; T('commitment_type')"
    subprocess.run([sys.executable, "-c", f"{use}; {ours}"], check=True)
