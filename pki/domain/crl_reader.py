"""Reads a CRL of any length as a relying party would, in little memory: skips over its entries and hashes the signed part."""

import hashlib
from dataclasses import dataclass
from typing import BinaryIO

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes

from pki.domain import der

_CHUNK = 1 << 18
_LONGEST_START = 64 * 1024  # more than the fields before the entries need
_BIT_STRING = 0x03
_TIMES = (der.UTC_TIME, der.GENERALIZED_TIME)
# Version, algorithm, issuer, thisUpdate, and nextUpdate, which ours always have (B1.16).
_FIELDS = ((0x02,), (der.SEQUENCE,), (der.SEQUENCE,), _TIMES, _TIMES)
_HASHES: dict[str, hashes.HashAlgorithm] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


class NotACrl(ValueError):
    """The file is not one CertificateList in DER."""


@dataclass(frozen=True)
class ParsedCrl:
    """A CRL without its entries, as the library parses it; its issuer's DER, the number of entries, the signed part's digest."""

    frame: x509.CertificateRevocationList
    issuer: bytes
    entries: int
    digest: bytes

    def is_signed_by(self, public_key: PublicKeyTypes) -> bool:
        """Whether the signature verifies."""
        algorithm = self.frame.signature_hash_algorithm
        if algorithm is None:
            return False
        prehashed = utils.Prehashed(_HASHES[algorithm.name])
        try:
            if isinstance(public_key, rsa.RSAPublicKey):
                public_key.verify(self.frame.signature, self.digest, padding.PKCS1v15(), prehashed)
            elif isinstance(public_key, ec.EllipticCurvePublicKey):
                public_key.verify(self.frame.signature, self.digest, ec.ECDSA(prehashed))
            else:
                return False
        except InvalidSignature:
            return False
        return True


def read(file: BinaryIO, *, hash_name: str) -> ParsedCrl:
    """Reads the file from its start. Raises NotACrl."""
    try:
        return _Reader(file, hash_name).read()
    except (ValueError, IndexError, x509.InvalidVersion) as error:
        raise NotACrl(str(error)) from None


class _Reader:
    def __init__(self, file: BinaryIO, hash_name: str) -> None:
        file.seek(0)
        self._file = file
        self._hash = hashlib.new(hash_name)

    def read(self) -> ParsedCrl:
        """Reads the whole file, once."""
        start = self._file.read(_LONGEST_START)
        whole = _opened(start, 0)
        tbs = _opened(start, whole.content)
        if (whole.tag, tbs.tag) != (der.SEQUENCE, der.SEQUENCE):
            raise ValueError("not sequences")
        position = tbs.content
        fields = []
        for tags in _FIELDS:
            field = _opened(start, position)
            if field.tag not in tags:
                raise ValueError("not the fields of a version 2 CRL")
            fields.append(start[field.start : field.end])
            position = field.end
        listed = _opened(start, position) if start[position] == der.SEQUENCE else None
        self._file.seek(tbs.start)
        self._take(position - tbs.start)
        entries = self._walk(listed) if listed else 0
        rest = self._take(tbs.end - (listed.end if listed else position))
        end = self._file.read(whole.end - tbs.end)
        if self._file.read(1) or len(end) != whole.end - tbs.end:
            raise ValueError("trailing octets, or the end is missing")
        bits = _opened(end, len(fields[1]))
        if not end.startswith(fields[1]) or bits.end != len(end) or end[bits.start] != _BIT_STRING or end[bits.content]:
            raise ValueError("the algorithm differs from the signed one, or the signature is not whole octets")
        signed = der.encoded(der.SEQUENCE, start[tbs.content : position] + rest)
        frame = x509.load_der_x509_crl(der.encoded(der.SEQUENCE, signed + end))
        return ParsedCrl(frame, fields[2], entries, self._hash.digest())

    def _take(self, length: int) -> bytes:
        """Reads and hashes so many octets."""
        found = self._file.read(length)
        if len(found) != length:
            raise ValueError("cut short")
        self._hash.update(found)
        return found

    def _walk(self, listed: der.Element) -> int:
        """Counts entries: each a SEQUENCE of less than 128 octets, one after another up to the end of revokedCertificates."""
        self._take(listed.content - listed.start)
        left, count, buffer = listed.end - listed.content, 0, b""
        if not left:
            raise ValueError("an empty list of entries")
        while left or buffer:
            chunk = self._take(min(left, _CHUNK))
            left -= len(chunk)
            buffer += chunk
            position, end = 0, len(buffer)
            while position + 1 < end:
                if buffer[position] != der.SEQUENCE or buffer[position + 1] >= 0x80:
                    raise ValueError("an invalid entry")
                following = position + 2 + buffer[position + 1]
                if following > end:
                    break
                position, count = following, count + 1
            buffer = buffer[position:]
            if buffer and not left:
                raise ValueError("the last entry is cut short")
        return count


def _opened(data: bytes, start: int) -> der.Element:
    """Returns the element that begins at `start`; its end may be beyond `data`."""
    tag, length, content = data[start], data[start + 1], start + 2
    if length >= 0x80:
        content += length & 0x7F
        length = int.from_bytes(data[start + 2 : content])
    if der.header(tag, length) != data[start:content]:
        raise ValueError("a length that is not DER")
    return der.Element(tag, start, content, content + length)
