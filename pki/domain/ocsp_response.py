"""Builds OCSP responses (RFC 6960 section 4.2): encodes once what a batch has in common, then assembles each response.

The bytes are those of `cryptography`'s builder for the same values; the tests compare them.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, NamedTuple

from pki.domain.crl_reasons import NUMBERS
from pki.domain.der import (
    BIT_STRING,
    ENUMERATED,
    INTEGER,
    OCTET_STRING,
    SEQUENCE,
    encoded,
    extension,
    generalized_time,
    header,
    seconds,
)

MALFORMED: Final = b"\x30\x03\x0a\x01\x01"
INTERNAL: Final = b"\x30\x03\x0a\x01\x02"
TRY_LATER: Final = b"\x30\x03\x0a\x01\x03"
UNAUTHORIZED: Final = b"\x30\x03\x0a\x01\x06"
"""Unsigned errors (RFC 6960 section 2.3)."""

MEDIA_TYPE: Final = "application/ocsp-response"
MAX_AGE: Final = 60
"""Seconds that caches may keep a response: a cache must not hide a revocation longer."""

CERTIFICATE_HOLD: Final = 6
"""CRLReason of a hold. Our CRLs never contain it, so it is not in `crl_reasons`."""

GOOD: Final = b"\x80\x00"
UNKNOWN: Final = b"\x82\x00"

_EXPLICIT_0, _EXPLICIT_1, _EXPLICIT_2 = 0xA0, 0xA1, 0xA2
_SHARED = 2  # octets of a certStatus that many responses share: `good` and `unknown`, which contain no time
_NONCE = "1.3.6.1.5.5.7.48.1.2"
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
    """Returns the certStatus of a certificate that was revoked at `moment`, for a reason by its name."""
    return _revoked(moment, NUMBERS.get(reason, 0))


def on_hold(moment: dt.datetime) -> bytes:
    """Returns the certStatus of a certificate on hold since `moment`: revoked, with the reason certificateHold."""
    return _revoked(moment, CERTIFICATE_HOLD)


def _revoked(moment: dt.datetime, reason: int) -> bytes:
    content = _time(moment)
    if reason:
        content += encoded(_EXPLICIT_0, encoded(ENUMERATED, bytes((reason,))))
    return encoded(_EXPLICIT_1, content)


@dataclass(frozen=True)
class Signature:
    """How responses are signed: the AlgorithmIdentifier, and the function that signs the bytes of a ResponseData."""

    algorithm: bytes
    sign: Callable[[bytes], bytes]


class Template:
    """Builds responses of one responder that are signed in the same second. CertIDs are given by `issuers`.

    The octets around the serial, and those around a signature of a given length, are built once: a response is then a few copies.
    """

    def __init__(
        self,
        *,
        responder_key_hash: bytes,
        certificates: list[bytes],
        issuers: list[Issuer],
        this_update: dt.datetime,
        signature: Signature,
    ) -> None:
        self._sign = signature.sign
        self._algorithm = signature.algorithm
        responder = encoded(_EXPLICIT_2, encoded(OCTET_STRING, responder_key_hash))
        self._this_update = _time(this_update)
        self._head = responder + self._this_update  # producedAt is thisUpdate
        self._tail = encoded(_EXPLICIT_0, encoded(SEQUENCE, b"".join(certificates))) if certificates else b""
        self._issuers = {
            issuer.hash: _ALGORITHMS[issuer.hash]
            + encoded(OCTET_STRING, issuer.name_hash)
            + encoded(OCTET_STRING, issuer.key_hash)
            for issuer in issuers
        }
        self._around_serial: dict[tuple[str, bytes, dt.datetime, int], tuple[bytes, bytes]] = {}
        self._around_signature: dict[tuple[int, int], tuple[bytes, bytes]] = {}

    def sign(
        self, hash_name: str, serial: int, status: bytes, next_update: dt.datetime, nonce: bytes = b""
    ) -> tuple[bytes, bytes, bytes]:
        """Returns the response's DER, the bytes that were signed, and the signature."""
        to_be_signed = self.data(hash_name, serial, status, next_update, nonce)
        signature = self._sign(to_be_signed)
        return self.response(to_be_signed, signature), to_be_signed, signature

    def data(self, hash_name: str, serial: int, status: bytes, next_update: dt.datetime, nonce: bytes = b"") -> bytes:
        """Returns a ResponseData to be signed; a `nonce` is included (RFC 9654). Raises OverflowError for a negative serial."""
        size = serial.bit_length() // 8 + 1
        if nonce or len(status) > _SHARED:
            before, after = self._data(hash_name, size, status, next_update, nonce)
        else:
            shape = hash_name, status, next_update, size
            found = self._around_serial.get(shape)
            if found is None:
                found = self._around_serial[shape] = self._data(hash_name, size, status, next_update, b"")
            before, after = found
        return before + serial.to_bytes(size) + after

    def response(self, to_be_signed: bytes, signature: bytes) -> bytes:
        """Returns the response's DER, from the bytes that `data` returned and their signature."""
        lengths = len(to_be_signed), len(signature)
        around = self._around_signature.get(lengths)
        if around is None:
            around = self._around_signature[lengths] = self._response(*lengths)
        return b"".join((around[0], to_be_signed, around[1], signature, self._tail))

    def _data(self, hash_name: str, size: int, status: bytes, next_update: dt.datetime, nonce: bytes) -> tuple[bytes, bytes]:
        """Returns a ResponseData up to the content of a serial of `size` octets, and the octets after it."""
        serial = bytes((0x7F,)) * size  # a placeholder
        cert_id = encoded(SEQUENCE, self._issuers[hash_name] + encoded(INTEGER, serial))
        single = encoded(SEQUENCE, cert_id + status + self._this_update + encoded(_EXPLICIT_0, _time(next_update)))
        content = self._head + encoded(SEQUENCE, single)
        after = status + self._this_update + encoded(_EXPLICIT_0, _time(next_update))
        if nonce:
            extensions = encoded(_EXPLICIT_1, encoded(SEQUENCE, extension(_NONCE, False, encoded(OCTET_STRING, nonce))))
            content += extensions
            after += extensions
        whole = encoded(SEQUENCE, content)
        return whole[: len(whole) - len(after) - size], after

    def _response(self, data: int, signature: int) -> tuple[bytes, bytes]:
        """Returns an OCSPResponse up to its ResponseData, and the octets between that and the signature, for these lengths."""
        between = self._algorithm + header(BIT_STRING, signature + 1) + b"\x00"
        basic = header(SEQUENCE, data + len(between) + signature + len(self._tail))
        inside = data + len(between) + signature + len(self._tail) + len(basic)
        response = _BASIC + header(OCTET_STRING, inside)
        bytes_ = header(SEQUENCE, len(response) + inside)
        explicit = header(_EXPLICIT_0, len(bytes_) + len(response) + inside)
        length = len(_SUCCESSFUL) + len(explicit) + len(bytes_) + len(response) + inside
        return header(SEQUENCE, length) + _SUCCESSFUL + explicit + bytes_ + response + basic, between
