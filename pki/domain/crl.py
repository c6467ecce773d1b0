"""DER encoding of CRLs (RFC 5280 section 5), in pieces, so that a CRL of any length needs little memory.

Times are whole seconds since 1970 in UTC. An entry is at most 83 octets, so its lengths are single octets.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from cryptography import x509

from pki.domain import der
from pki.domain.crl_reasons import NUMBERS

EXPIRED_CERTS_ON_CRL = x509.ObjectIdentifier("2.5.29.60")
VERSION_2 = bytes.fromhex("020101")
LONGEST_SERIAL = 20  # octets, as the rows hold them
_REASON = bytes.fromhex("300a0603551d1504030a01")
_INVALIDITY = bytes.fromhex("30180603551d180411")
_EXTENSIONS = 0xA0


def entry(serial: bytes, revoked_at: int, reason: int, invalidity: int | None = None) -> bytes:
    """Encodes a revokedCertificates entry; `serial` big-endian without a leading zero octet, `reason` of `crl_reasons.NUMBERS`.

    Raises ValueError for a serial that is zero, has a leading zero octet or is too long, for an unknown reason, and for times
    that have no encoding.
    """
    content = serial_content(serial) + der.time(revoked_at) + entry_extensions(reason, invalidity)
    return bytes((der.SEQUENCE, len(content))) + content


def serial_content(serial: bytes) -> bytes:
    """Returns the serial as INTEGER. Raises ValueError as `entry`."""
    if not serial or not serial[0] or len(serial) > LONGEST_SERIAL:
        raise ValueError("not a serial number")
    padding = b"\0" if serial[0] >= 0x80 else b""
    return bytes((der.INTEGER, len(padding) + len(serial))) + padding + serial


def entry_extensions(reason: int, invalidity: int | None) -> bytes:
    """Encodes crlEntryExtensions, absent if both are empty: reasonCode, then invalidityDate, neither critical."""
    if reason not in _CODES:
        raise ValueError("not a reason on offer")
    found = _REASON + bytes((reason,)) if reason else b""
    if invalidity is not None:
        found += _INVALIDITY + der.generalized_time(invalidity)
    return bytes((der.SEQUENCE, len(found))) + found if found else b""


_CODES = frozenset(NUMBERS.values())


@dataclass(frozen=True)
class Extension:
    """One of crlExtensions; `value` is the DER inside extnValue."""

    oid: x509.ObjectIdentifier
    critical: bool
    value: bytes

    def encoded(self) -> bytes:
        """Returns the DER."""
        return der.extension(self.oid.dotted_string, self.critical, self.value)


def extensions(*, ski: bytes, number: int, point: str | None = None, expired_since: int | None = None) -> tuple[Extension, ...]:
    """Returns crlExtensions (section 5.2): the CA's key identifier as in its certificate, and the number.

    `point`, for the CRL of one shard, is the URL in the shard's certificates: a critical issuingDistributionPoint.
    `expired_since` is expiredCertsOnCRL (X.509 section 9.5.2.8): the CRL keeps expired certificates from then on. Raises
    ValueError for a number that is negative or has more than 20 octets.
    """
    if number < 0 or number.bit_length() > 159:
        raise ValueError("a CRL number has at most 20 octets")
    key = x509.AuthorityKeyIdentifier(ski, None, None)
    found = [Extension(key.oid, False, key.public_bytes())]
    counted = x509.CRLNumber(number)
    found.append(Extension(counted.oid, False, counted.public_bytes()))
    if point is not None:
        scope = x509.IssuingDistributionPoint(
            full_name=[x509.UniformResourceIdentifier(point)],
            relative_name=None,
            only_contains_user_certs=False,
            only_contains_ca_certs=False,
            only_some_reasons=None,
            indirect_crl=False,
            only_contains_attribute_certs=False,
        )
        found.append(Extension(scope.oid, True, scope.public_bytes()))
    if expired_since is not None:
        found.append(Extension(EXPIRED_CERTS_ON_CRL, False, der.generalized_time(expired_since)))
    return tuple(found)


@dataclass(frozen=True)
class Frame:
    """Everything in a CRL except its entries and its signature.

    `issuer` is the CA's subject as in its certificate, DER; `algorithm` the AlgorithmIdentifier; `next_update` None for a CRL
    that never expires.
    """

    issuer: bytes
    algorithm: bytes
    this_update: int
    next_update: int | None
    extensions: tuple[Extension, ...]

    def before(self, entries: int) -> bytes:
        """The TBSCertList up to the first entry, for entries of so many octets in all; omits revokedCertificates if 0 (B1.15)."""
        start = self._start()
        listed = der.header(der.SEQUENCE, entries) if entries else b""
        return der.header(der.SEQUENCE, len(start) + len(listed) + entries + len(self.after())) + start + listed

    def _start(self) -> bytes:
        ends = der.generalized_time(der.NEVER) if self.next_update is None else der.time(self.next_update)
        return VERSION_2 + self.algorithm + self.issuer + der.time(self.this_update) + ends

    def after(self) -> bytes:
        """Returns the TBSCertList after the last entry."""
        listed = der.encoded(der.SEQUENCE, b"".join(each.encoded() for each in self.extensions))
        return der.encoded(_EXTENSIONS, listed)

    def wrapped(self, entries: int, signature: bytes) -> tuple[bytes, bytes]:
        """Returns the octets before and after the TBSCertList in the CertificateList."""
        end = self.algorithm + der.encoded(der.BIT_STRING, b"\0" + signature)
        length = len(self.before(entries)) + entries + len(self.after()) + len(end)
        return der.header(der.SEQUENCE, length), end

    def whole(self, entries: Iterable[bytes], signature: bytes) -> bytes:
        """Returns the complete CertificateList in memory: for short CRLs."""
        body = b"".join(entries)
        start, end = self.wrapped(len(body), signature)
        return start + self.before(len(body)) + body + self.after() + end
