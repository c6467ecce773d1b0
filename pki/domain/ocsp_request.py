"""Reading OCSP requests (RFC 6960 section 4.1, in the lightweight profile of RFC 9919)."""

import base64
import binascii
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509 import ocsp

MAX_BYTES = 10_000
_NONCE_LENGTHS = range(1, 129)  # RFC 9654 section 2.1
_AS_SENT = str.maketrans({" ": "+", "\r": None, "\n": None})
_HASHES = {"sha1": "sha1", "sha256": "sha256"}


class MalformedRequest(Exception):
    """The bytes are no OCSP request, or one that this responder must or may refuse as `malformedRequest`."""


class UnknownHash(Exception):
    """The CertID is made with a hash that no answer is signed for: nothing authoritative can be said."""


@dataclass(frozen=True)
class CertId:
    """What is asked for: the hash's name, `sha1` or `sha256`, issuerNameHash and issuerKeyHash in hex, and the serial."""

    hash: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial: int


def parse(der: bytes) -> CertId:
    """The one CertID of a request.

    Raises MalformedRequest, also for several CertIDs (RFC 9919 section 3.1.1), a nonce outside RFC 9654's lengths and a critical
    extension that is not the nonce; UnknownHash for a hash other than SHA-1 and SHA-256. A signature on the request is ignored.
    """
    if not der or len(der) > MAX_BYTES:
        raise MalformedRequest("length")
    try:
        request = ocsp.load_der_ocsp_request(der)
        _check_extensions(request.extensions)
    except (ValueError, NotImplementedError, x509.DuplicateExtension) as error:
        raise MalformedRequest(type(error).__name__) from error
    try:
        name = _HASHES[request.hash_algorithm.name]
    except (UnsupportedAlgorithm, KeyError) as error:
        raise UnknownHash from error
    return CertId(name, request.issuer_name_hash.hex(), request.issuer_key_hash.hex(), request.serial_number)


def _check_extensions(extensions: x509.Extensions) -> None:
    for extension in extensions:
        if isinstance(extension.value, x509.OCSPNonce):
            if len(extension.value.nonce) not in _NONCE_LENGTHS:
                raise MalformedRequest("nonce")
        elif extension.critical:
            raise MalformedRequest("critical extension")


def decode_path(text: str) -> bytes:
    """The request's DER from the tail of a GET address (RFC 6960 appendix A.1), already percent-decoded once.

    Takes what clients send: leading slashes, line breaks, missing padding, a blank where a plus sign stood. Raises
    MalformedRequest.
    """
    text = text.lstrip("/").translate(_AS_SENT).rstrip("=")
    if not text or len(text) > MAX_BYTES * 4 // 3 + 4:
        raise MalformedRequest("length")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedRequest("base64") from error
