"""DER of certificate revocation lists (RFC 5280 section 5), in pieces, so that a list of any length needs little memory.

Times are whole seconds since 1970 in UTC. An entry is at most 83 octets, so its lengths are single octets.
"""

import calendar
import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from asn1crypto.core import ObjectIdentifier
from cryptography import x509

from pki.domain import der

REASONS = {
    "unspecified": 0,
    "keyCompromise": 1,
    "cACompromise": 2,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
    "privilegeWithdrawn": 9,
}
"""CRLReason by name (section 5.3.1); 0 is told by leaving the extension out."""

EXPIRED_CERTS_ON_CRL = x509.ObjectIdentifier("2.5.29.60")
VERSION_2 = bytes.fromhex("020101")
LONGEST_SERIAL = 20  # octets, as the rows hold them
_UTC_FROM, _UTC_BEFORE = calendar.timegm((1950, 1, 1, 0, 0, 0)), calendar.timegm((2050, 1, 1, 0, 0, 0))
NEVER = calendar.timegm((9999, 12, 31, 23, 59, 59))
"""nextUpdate of a last list (EN 319 411-1 section 6.3.9), and the last moment that has an encoding."""

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST = int((dt.datetime(1, 1, 1, tzinfo=dt.UTC) - _EPOCH).total_seconds())
_REASON = bytes.fromhex("300a0603551d1504030a01")
_INVALIDITY = bytes.fromhex("30180603551d180411")
_EXTENSIONS, _BIT_STRING = 0xA0, 0x03


def header(tag: int, length: int) -> bytes:
    """Identifier and length octets of an element whose content has `length` octets."""
    if length < 0x80:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets


def generalized_time(seconds: int) -> bytes:
    """GeneralizedTime with seconds and Z (section 4.1.2.5.2). ValueError before year 1 and after 9999."""
    if not _FIRST <= seconds <= NEVER:
        raise ValueError("a time outside of the years 1 to 9999")
    moment = _EPOCH + dt.timedelta(seconds=seconds)
    text = f"{moment.year:04}{moment:%m%d%H%M%S}Z"
    return bytes((der.GENERALIZED_TIME, len(text))) + text.encode()


def time(seconds: int) -> bytes:
    """Time: UTCTime through 2049, GeneralizedTime from 2050 on (section 5.1.2.4). ValueError before 1950."""
    if seconds < _UTC_FROM:
        raise ValueError("a time before 1950")
    if seconds >= _UTC_BEFORE:
        return generalized_time(seconds)
    return bytes((der.UTC_TIME, 13)) + generalized_time(seconds)[4:]


def entry(serial: bytes, revoked_at: int, reason: int, invalidity: int | None = None) -> bytes:
    """One entry of revokedCertificates. `serial` is big-endian without a leading zero octet, `reason` of REASONS' values.

    ValueError for a serial that is zero, has a leading zero octet or is too long, for an unknown reason, and for times that have
    no encoding.
    """
    content = serial_content(serial) + time(revoked_at) + entry_extensions(reason, invalidity)
    return bytes((der.SEQUENCE, len(content))) + content


def serial_content(serial: bytes) -> bytes:
    """The serial as INTEGER. ValueError as `entry`."""
    if not serial or not serial[0] or len(serial) > LONGEST_SERIAL:
        raise ValueError("not a serial number")
    padding = b"\0" if serial[0] >= 0x80 else b""
    return bytes((0x02, len(padding) + len(serial))) + padding + serial


def entry_extensions(reason: int, invalidity: int | None) -> bytes:
    """crlEntryExtensions, absent if there is nothing to tell: reasonCode, then invalidityDate, neither critical."""
    if reason not in _CODES:
        raise ValueError("not a reason on offer")
    found = _REASON + bytes((reason,)) if reason else b""
    if invalidity is not None:
        found += _INVALIDITY + generalized_time(invalidity)
    return bytes((der.SEQUENCE, len(found))) + found if found else b""


_CODES = frozenset(REASONS.values())


@dataclass(frozen=True)
class Extension:
    """One of crlExtensions; `value` is the DER that extnValue holds."""

    oid: x509.ObjectIdentifier
    critical: bool
    value: bytes

    def encoded(self) -> bytes:
        """DER."""
        flag = b"\x01\x01\xff" if self.critical else b""
        value = der.encoded(_OCTET_STRING, self.value)
        return der.encoded(der.SEQUENCE, ObjectIdentifier(self.oid.dotted_string).dump() + flag + value)


_OCTET_STRING = 0x04


def extensions(*, ski: bytes, number: int, point: str | None = None, expired_since: int | None = None) -> tuple[Extension, ...]:
    """crlExtensions (section 5.2): the CA's key identifier as its certificate has it, and the number.

    `point`, for a list of one shard, is the address that its certificates name: a critical issuingDistributionPoint.
    `expired_since` is expiredCertsOnCRL (X.509 section 9.5.2.8): expired certificates are kept from then on. ValueError for a
    number that is negative or has more than 20 octets.
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
        found.append(Extension(EXPIRED_CERTS_ON_CRL, False, generalized_time(expired_since)))
    return tuple(found)


@dataclass(frozen=True)
class Frame:
    """Everything in a list but its entries and its signature.

    `issuer` is the CA's subject as it stands in its certificate, DER; `algorithm` the AlgorithmIdentifier; `next_update` None for
    a list that never ends.
    """

    issuer: bytes
    algorithm: bytes
    this_update: int
    next_update: int | None
    extensions: tuple[Extension, ...]

    def before(self, entries: int) -> bytes:
        """The TBSCertList up to the first entry, for entries of so many octets in all; without the list if that is 0 (B1.15)."""
        start = self._start()
        listed = header(der.SEQUENCE, entries) if entries else b""
        return header(der.SEQUENCE, len(start) + len(listed) + entries + len(self.after())) + start + listed

    def _start(self) -> bytes:
        ends = generalized_time(NEVER) if self.next_update is None else time(self.next_update)
        return VERSION_2 + self.algorithm + self.issuer + time(self.this_update) + ends

    def after(self) -> bytes:
        """The TBSCertList after the last entry."""
        listed = der.encoded(der.SEQUENCE, b"".join(each.encoded() for each in self.extensions))
        return der.encoded(_EXTENSIONS, listed)

    def wrapped(self, entries: int, signature: bytes) -> tuple[bytes, bytes]:
        """What stands before and after the TBSCertList in the CertificateList."""
        end = self.algorithm + der.encoded(_BIT_STRING, b"\0" + signature)
        length = len(self.before(entries)) + entries + len(self.after()) + len(end)
        return header(der.SEQUENCE, length), end

    def whole(self, entries: Iterable[bytes], signature: bytes) -> bytes:
        """The whole CertificateList in memory: for short lists."""
        body = b"".join(entries)
        start, end = self.wrapped(len(body), signature)
        return start + self.before(len(body)) + body + self.after() + end
