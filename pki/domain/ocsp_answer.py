"""Writing OCSP answers (RFC 6960 section 4.2) by hand: what a batch shares is encoded once, and each answer is put together.

The bytes are those of `cryptography`'s builder for the same values; the tests compare them.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from pki.domain.crl_reasons import NUMBERS
from pki.domain.der import BIT_STRING, ENUMERATED, OCTET_STRING, SEQUENCE, encoded, generalized_time, integer, seconds

MALFORMED: Final = b"\x30\x03\x0a\x01\x01"
TRY_LATER: Final = b"\x30\x03\x0a\x01\x03"
UNAUTHORIZED: Final = b"\x30\x03\x0a\x01\x06"
"""Unsigned errors (RFC 6960 section 2.3)."""

MEDIA_TYPE: Final = "application/ocsp-response"
MAX_AGE: Final = 60
"""Seconds that caches may keep an answer: a revocation must not hide longer in them."""

GOOD: Final = b"\x80\x00"
UNKNOWN: Final = b"\x82\x00"

_EXPLICIT_0, _EXPLICIT_1, _EXPLICIT_2 = 0xA0, 0xA1, 0xA2
_SUCCESSFUL = b"\x0a\x01\x00"
_BASIC = bytes.fromhex("06092b0601050507300101")
_ALGORITHMS: Final = {
    "sha1": bytes.fromhex("300906052b0e03021a0500"),
    "sha256": bytes.fromhex("300d06096086480165030402010500"),
}


class Issuer(NamedTuple):
    """issuerNameHash and issuerKeyHash of one CertID hash, `sha1` or `sha256`."""

    hash: str
    name_hash: bytes
    key_hash: bytes


def _time(moment: dt.datetime) -> bytes:
    return generalized_time(seconds(moment))


def revoked(moment: dt.datetime, reason: str) -> bytes:
    """The certStatus of a certificate that was revoked at `moment` for a reason by its name."""
    content = _time(moment)
    if number := NUMBERS.get(reason, 0):
        content += encoded(_EXPLICIT_0, encoded(ENUMERATED, bytes((number,))))
    return encoded(_EXPLICIT_1, content)


@dataclass(frozen=True)
class Signature:
    """How answers are signed: the AlgorithmIdentifier, and what signs the bytes of a ResponseData."""

    algorithm: bytes
    sign: Callable[[bytes], bytes]


class Template:
    """Answers of one responder that are signed in the same second and live equally long. CertIDs are given by `issuers`."""

    def __init__(
        self,
        *,
        responder_key_hash: bytes,
        certificates: list[bytes],
        issuers: list[Issuer],
        this_update: dt.datetime,
        signature: Signature,
    ) -> None:
        self._signature = signature
        responder = encoded(_EXPLICIT_2, encoded(OCTET_STRING, responder_key_hash))
        self._this_update = _time(this_update)
        self._head = responder + self._this_update  # producedAt is thisUpdate
        embedded = encoded(_EXPLICIT_0, encoded(SEQUENCE, b"".join(certificates))) if certificates else b""
        self._tail = embedded
        self._issuers = {
            issuer.hash: _ALGORITHMS[issuer.hash]
            + encoded(OCTET_STRING, issuer.name_hash)
            + encoded(OCTET_STRING, issuer.key_hash)
            for issuer in issuers
        }

    def sign(self, hash_name: str, serial: int, status: bytes, next_update: dt.datetime) -> tuple[bytes, bytes, bytes]:
        """The answer's DER, the bytes that were signed, and the signature."""
        cert_id = encoded(SEQUENCE, self._issuers[hash_name] + integer(serial))
        single = encoded(SEQUENCE, cert_id + status + self._this_update + encoded(_EXPLICIT_0, _time(next_update)))
        to_be_signed = encoded(SEQUENCE, self._head + encoded(SEQUENCE, single))
        signature = self._signature.sign(to_be_signed)
        signed = to_be_signed + self._signature.algorithm + encoded(BIT_STRING, b"\x00" + signature) + self._tail
        body = encoded(SEQUENCE, _BASIC + encoded(OCTET_STRING, encoded(SEQUENCE, signed)))
        return encoded(SEQUENCE, _SUCCESSFUL + encoded(_EXPLICIT_0, body)), to_be_signed, signature
