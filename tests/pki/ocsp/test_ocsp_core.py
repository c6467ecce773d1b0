"""The core that reads requests and writes answers: on vectors and mutations, beside the library's own reader and builder."""

import base64
import datetime as dt
import itertools
import os
import random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509 import ocsp as x509_ocsp

from pki.domain import crl_reasons, ocsp_request, ocsp_response, tbs
from pki.domain.der import generalized_time, seconds
from tests.pki.ocsp.ocsp_vectors import MALFORMED, UNKNOWN_HASH, VECTORS, made
from tests.tls import SmallCa

MUTATIONS = 1_000_000 if os.environ.get("SITHS_LONG") else 20_000


def read(der):
    """What the core says: a tuple, or why it refuses."""
    try:
        return tuple(ocsp_request.read(der))
    except ocsp_request.MalformedRequest:
        return MALFORMED
    except ocsp_request.UnknownHash:
        return UNKNOWN_HASH


def library(der):
    """The same by `cryptography` alone."""
    if not der or len(der) > ocsp_request.MAX_BYTES:
        return MALFORMED
    try:
        return tuple(ocsp_request._read_by_library(der))
    except ocsp_request.MalformedRequest:
        return MALFORMED
    except ocsp_request.UnknownHash:
        return UNKNOWN_HASH


@pytest.mark.parametrize("name", VECTORS)
def test_vectors(name):
    der, expected, usual = VECTORS[name]
    assert read(der) == expected
    assert library(der) == expected
    assert (ocsp_request.walk(der) is not None) == usual


def mutations(count, also=()):
    """Requests with a few octets changed, taken away, added or doubled; the same in each run. Half are made of `also`, if any."""
    dice = random.Random(20261125)
    stock = [der for der, _, _ in VECTORS.values() if 2 < len(der) < 400]
    stock += [each for each, _ in zip(itertools.cycle(also), stock, strict=False)]
    for _ in range(count):
        der = bytearray(dice.choice(stock))
        for _ in range(dice.choice((1, 1, 1, 2, 3, 8))):
            at = dice.randrange(len(der)) if der else 0
            act = dice.randrange(5)
            if act == 0 and der:
                der[at] ^= 1 << dice.randrange(8)
            elif act == 1 and der:
                der[at] = dice.choice((0, 1, 0x7F, 0x80, 0x81, 0x82, 0x84, 0xFF, 0x30, 0x02, 0x04, 0xA0, 0xA2))
            elif act == 2 and der:
                del der[at : at + dice.randrange(1, 5)]
            elif act == 3:
                der[at:at] = dice.randbytes(dice.randrange(1, 5))
            elif der:
                der[at:at] = der[at : at + dice.randrange(1, 40)]
        yield bytes(der)


@pytest.mark.soak
def test_the_walk_never_says_what_the_library_does_not():
    walked = 0
    for der in mutations(MUTATIONS):
        found = ocsp_request.walk(der)
        if found is not None:
            walked += 1
            assert tuple(found) == library(der), der.hex()
        else:
            read(der)  # raises nothing but its own errors
    assert walked > MUTATIONS // 50  # or the comparison says little


def test_all_prefixes_and_all_single_octets():
    for base in (made(), made("sha256")):
        for end in range(len(base)):
            assert read(base[:end]) == MALFORMED
        for at in range(len(base)):
            for value in range(256):
                der = base[:at] + bytes((value,)) + base[at + 1 :]
                found = ocsp_request.walk(der)
                assert found is None or tuple(found) == library(der), der.hex()


class Case:
    """A CA, a delegate of a kind of key, and a moment."""

    def __init__(self, kind) -> None:
        self.ca = SmallCa()
        self.key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
        self.moment = dt.datetime(2026, 11, 25, 13, 50, 7, tzinfo=dt.UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "OCSP")]))
            .issuer_name(self.ca.name)
            .public_key(self.key.public_key())
            .serial_number(7)
            .not_valid_before(self.moment)
            .not_valid_after(self.moment + dt.timedelta(days=30))
            .sign(self.ca.key, hashes.SHA256())
        )

    def builder(self, name, serial, status, next_update, revoked_at=None, reason=None):
        return (
            x509_ocsp.OCSPResponseBuilder()
            .add_response_by_hash(
                b"a" * 20 if name == "sha1" else b"a" * 32,
                b"b" * 20 if name == "sha1" else b"b" * 32,
                serial,
                hashes.SHA1() if name == "sha1" else hashes.SHA256(),
                status,
                self.moment,
                next_update,
                revoked_at,
                reason,
            )
            .responder_id(x509_ocsp.OCSPResponderEncoding.HASH, self.certificate)
        )

    def template(self, *, embedded=True):
        def sign(data):
            if isinstance(self.key, rsa.RSAPrivateKey):
                return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
            return self.key.sign(data, ec.ECDSA(hashes.SHA256()))

        algorithm = tbs.ALGORITHMS["rsa" if isinstance(self.key, rsa.RSAPrivateKey) else "ec", "sha256"]
        return ocsp_response.Template(
            responder_key_hash=x509.SubjectKeyIdentifier.from_public_key(self.key.public_key()).digest,
            certificates=[self.certificate.public_bytes(serialization.Encoding.DER)] if embedded else [],
            issuers=[
                ocsp_response.Issuer("sha1", b"a" * 20, b"b" * 20),
                ocsp_response.Issuer("sha256", b"a" * 32, b"b" * 32),
            ],
            this_update=self.moment,
            signature=ocsp_response.Signature(algorithm, sign),
        )


STATUSES = {
    "good": (x509_ocsp.OCSPCertStatus.GOOD, None),
    "unknown": (x509_ocsp.OCSPCertStatus.UNKNOWN, None),
    **{f"revoked {name}": (x509_ocsp.OCSPCertStatus.REVOKED, name) for name in crl_reasons.NUMBERS},
}


@pytest.mark.parametrize("kind", ["ec", "rsa"])
@pytest.mark.parametrize("status", STATUSES)
def test_an_answer_has_the_bytes_of_the_librarys_builder(kind, status, monkeypatch):
    case = Case(kind)
    state, reason = STATUSES[status]
    revoked_at = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.UTC) if reason else None
    content = {"good": ocsp_response.GOOD, "unknown": ocsp_response.UNKNOWN}.get(status) or ocsp_response.revoked(
        revoked_at, reason
    )
    flag = x509.ReasonFlags(reason) if reason and reason != "unspecified" else None
    next_update = case.moment + dt.timedelta(hours=24)
    for name in ("sha1", "sha256"):
        for serial in (1, 127, 128, 0x0190AB12CD34EF56789012345678AB, (1 << 159) - 1):
            for embedded in (True, False):
                builder = case.builder(name, serial, state, next_update, revoked_at, flag)
                if embedded:
                    builder = builder.certificates([case.certificate])
                theirs = builder.sign(case.key, hashes.SHA256())
                ours, to_be_signed, signature = case.template(embedded=embedded).sign(name, serial, content, next_update)
                read = x509_ocsp.load_der_ocsp_response(ours)
                assert read.signature == signature
                assert read.tbs_response_bytes == to_be_signed
                assert normal(ours, read) == normal(theirs.public_bytes(serialization.Encoding.DER), theirs)


def normal(der, response):
    """The bytes without what differs in each signature: producedAt, the signature, and the lengths around it."""
    from asn1crypto import ocsp as asn1

    parsed = asn1.OCSPResponse.load(der, strict=True)
    basic = parsed["response_bytes"]["response"].parsed
    data = basic["tbs_response_data"]
    assert data.dump() == response.tbs_response_bytes
    data["produced_at"] = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    basic["signature"] = b"\x00"
    parsed["response_bytes"]["response"] = basic
    return parsed.dump(force=True)


def test_times_are_in_utc_and_whole_seconds():
    stockholm = dt.timezone(dt.timedelta(hours=1))
    moment = dt.datetime(2026, 11, 25, 14, 50, 7, 999_999, tzinfo=stockholm)
    assert generalized_time(seconds(moment)) == b"\x18\x0f20261125135007Z"


def test_the_path_of_a_get_is_read_alike_however_it_is_spelled():
    der = made(extensions=None)
    text = base64.b64encode(der).decode()
    for tail in (text, "/" + text, "//" + text, text.rstrip("="), text.replace("+", " "), text[:20] + "\r\n" + text[20:]):
        assert ocsp_request.decode_path(tail) == der
    large = base64.b64encode(b"\x30" * 9000).decode()
    assert ocsp_request.decode_path(large) == b"\x30" * 9000
    for tail in ("", "/", "=", "====", "%%%", "a", "MFA*", text + "!", text[:-1] + "é", text + "=" + text, "A" * 14_000):
        with pytest.raises(ocsp_request.MalformedRequest):
            ocsp_request.decode_path(tail)
