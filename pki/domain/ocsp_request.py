"""Parses OCSP requests (RFC 6960 section 4.1, in the lightweight profile of RFC 9919).

The parser of every process that answers OCSP: a strict parser for DER of the usual shape (one CertID by SHA-1 or SHA-256, no
extension but a nonce), and `cryptography` for all other shapes. Where the strict parser has a result, the library has the same.
"""

import base64
import binascii
from dataclasses import dataclass
from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp

MAX_BYTES = 10_000
LONGEST_NONCE = 128
_NONCE_LENGTHS = range(1, LONGEST_NONCE + 1)  # RFC 9654 section 2.1
_AS_SENT = str.maketrans({" ": "+", "\r": None, "\n": None})
_USUAL_PATH = 1000  # characters
_HASHES = {"sha1": "sha1", "sha256": "sha256"}

# AlgorithmIdentifier up to the issuerNameHash's value, with NULL parameters and without: its length, hash and hash length.
_USUAL = {
    bytes.fromhex("300906052b0e03021a05000414"): ("sha1", 20),
    bytes.fromhex("300706052b0e03021a0414"): ("sha1", 20),
    bytes.fromhex("300d060960864801650304020105000420"): ("sha256", 32),
    bytes.fromhex("300b06096086480165030402010420"): ("sha256", 32),
}
_USUAL_LENGTHS = {head[1]: len(head) for head in _USUAL}  # keyed by the AlgorithmIdentifier's length octet, which is unique
_NONCE_OID = bytes.fromhex("06092b0601050507300102")


class MalformedRequest(Exception):
    """The bytes are not an OCSP request, or one that this responder must or may refuse as `malformedRequest`."""


class UnknownHash(Exception):
    """The CertID uses a hash that we sign no responses for: no authoritative response is possible."""


class OcspQuery(NamedTuple):
    """The content of a request: the hash, `sha1` or `sha256`, both hashes of the issuer, the serial; the nonce, or empty."""

    hash: str
    issuer_name_hash: bytes
    issuer_key_hash: bytes
    serial: int
    nonce: bytes


@dataclass(frozen=True)
class CertId:
    """The CertID of a request: the hash, `sha1` or `sha256`, issuerNameHash and issuerKeyHash in hex, and the serial."""

    hash: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial: int


def parse(der: bytes) -> CertId:
    """Returns the one CertID of a request. Raises as `read`."""
    asked = read(der)
    return CertId(asked.hash, asked.issuer_name_hash.hex(), asked.issuer_key_hash.hex(), asked.serial)


def read(der: bytes) -> OcspQuery:
    """Parses a request.

    Raises MalformedRequest, also for several CertIDs (RFC 9919 section 3.1.1), a nonce outside RFC 9654's lengths and a critical
    extension that is not the nonce; UnknownHash for a hash other than SHA-1 and SHA-256. A signature on the request is ignored.
    """
    if not der or len(der) > MAX_BYTES:
        raise MalformedRequest("length")
    return walk(der) or _read_by_library(der)


def walk(der: bytes) -> OcspQuery | None:
    """Parses a request of the usual shape. Returns None for all other bytes, valid or not."""
    try:
        return _walk(der)
    except IndexError:
        return None


def _inside(der: bytes, at: int, tag: int) -> tuple[int, int]:
    """Returns where the content of the element at `at` begins and ends. An end beyond all bytes means another shape."""
    length = der[at + 1]
    if der[at] != tag:
        return at, _NOWHERE
    if length < 0x80:
        return at + 2, at + 2 + length
    if length == 0x81 and der[at + 2] >= 0x80:
        return at + 3, at + 3 + der[at + 2]
    return at, _NOWHERE


_NOWHERE = 1 << 30


def _walk(der: bytes) -> OcspQuery | None:
    whole = len(der)
    at, end = _inside(der, 0, 0x30)  # OCSPRequest
    if end != whole:
        return None
    at, end = _inside(der, at, 0x30)  # TBSRequest; nothing follows: no signature
    if end != whole:
        return None
    at, listed = _inside(der, at, 0x30)  # requestList
    if listed > whole:
        return None
    at, end = _inside(der, at, 0x30)  # Request; the only one
    if end != listed:
        return None
    at, end = _inside(der, at, 0x30)  # CertID; no extension of its own
    if end != listed:
        return None
    head = at + _USUAL_LENGTHS.get(der[at + 1], 0)
    usual = _USUAL.get(der[at:head])
    if usual is None:
        return None
    name, size = usual
    key = head + size + 2
    serial = key + size
    if der[key - 2] != 0x04 or der[key - 1] != size or der[serial] != 0x02:
        return None
    length, first = der[serial + 1], der[serial + 2]
    value = serial + 2
    # An INTEGER in its shortest form, not negative, of at most 20 octets, that ends where the CertID ends.
    if value + length != listed or not 1 <= length <= 20 or first >= 0x80:
        return None
    if first == 0 and length > 1 and der[value + 1] < 0x80:
        return None
    nonce = b""
    if listed != whole:
        found = _nonce(der, listed, whole)
        if found is None:
            return None
        nonce = found
    return OcspQuery(name, der[head : head + size], der[key:serial], int.from_bytes(der[value:listed]), nonce)


def _nonce(der: bytes, at: int, whole: int) -> bytes | None:
    """Returns the nonce of requestExtensions with only a nonce that is not critical and of an accepted length."""
    for tag in (0xA2, 0x30, 0x30):
        at, end = _inside(der, at, tag)
        if end != whole:
            return None
    if der[at : at + 11] != _NONCE_OID:
        return None
    at, end = _inside(der, at + 11, 0x04)
    if end != whole:
        return None
    at, end = _inside(der, at, 0x04)
    if end != whole or end - at not in _NONCE_LENGTHS:
        return None
    return der[at:end]


def _read_by_library(der: bytes) -> OcspQuery:
    try:
        request = ocsp.load_der_ocsp_request(der)
        nonce = _checked_nonce(request.extensions)
    except (ValueError, NotImplementedError, x509.DuplicateExtension) as error:
        raise MalformedRequest(type(error).__name__) from error
    try:
        name = _HASHES[request.hash_algorithm.name]
    except (UnsupportedAlgorithm, KeyError) as error:
        raise UnknownHash from error
    return OcspQuery(name, request.issuer_name_hash, request.issuer_key_hash, request.serial_number, nonce)


def _checked_nonce(extensions: x509.Extensions) -> bytes:
    nonce = b""
    for extension in extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            nonce = extension.value.nonce
            if len(nonce) not in _NONCE_LENGTHS:
                raise MalformedRequest("nonce")
        elif extension.critical:
            raise MalformedRequest("critical extension")
    return nonce


def decode_path(text: str) -> bytes:
    """Returns the request's DER from the tail of a GET URL (RFC 6960 appendix A.1), already percent-decoded once.

    Accepts what clients send: leading slashes, line breaks, missing padding, a space instead of a plus sign. Raises
    MalformedRequest.
    """
    try:
        if len(text) < _USUAL_PATH and (der := binascii.a2b_base64(text, strict_mode=True)):
            return der
    except ValueError:  # includes binascii.Error: an unusual encoding
        pass
    text = text.lstrip("/").translate(_AS_SENT).rstrip("=")
    if not text or len(text) > MAX_BYTES * 4 // 3 + 4:
        raise MalformedRequest("length")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest("base64") from error
