"""Our own check of a to-be-signed certificate against its profile, before every signature (RFC 5280, B1).

It parses the bytes and shares no code with their builder, so it finds the builder's faults.
"""

import datetime as dt
import functools
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from asn1crypto.core import ObjectIdentifier
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from pki.domain import alternative_names, der, keys, names, qc_statements, serials, tbs
from pki.domain.policies import PolicyEnded
from pki.domain.profile import CARD_NUMBER, QC_STATEMENTS, Profile
from pki.domain.tbs import Issuer
from siths_portal.lib.certificates.unreadable import UNREADABLE

_EXTENSIONS = {
    "authorityKeyIdentifier": ExtensionOID.AUTHORITY_KEY_IDENTIFIER.dotted_string,
    "subjectKeyIdentifier": ExtensionOID.SUBJECT_KEY_IDENTIFIER.dotted_string,
    "keyUsage": ExtensionOID.KEY_USAGE.dotted_string,
    "extendedKeyUsage": ExtensionOID.EXTENDED_KEY_USAGE.dotted_string,
    "certificatePolicies": ExtensionOID.CERTIFICATE_POLICIES.dotted_string,
    "basicConstraints": ExtensionOID.BASIC_CONSTRAINTS.dotted_string,
    "subjectAltName": ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string,
    "cRLDistributionPoints": ExtensionOID.CRL_DISTRIBUTION_POINTS.dotted_string,
    "authorityInfoAccess": ExtensionOID.AUTHORITY_INFORMATION_ACCESS.dotted_string,
    "cardNumber": CARD_NUMBER,
    "ocspNoCheck": ExtensionOID.OCSP_NO_CHECK.dotted_string,
    "qcStatements": QC_STATEMENTS,
}
_BY_OID = {ObjectIdentifier(oid).contents: name for name, oid in _EXTENSIONS.items()}
# The bytes that certificates of one profile and CA have in common, in few variants.
_REPEATED = frozenset(_EXTENSIONS) - {"subjectKeyIdentifier", "subjectAltName", "cardNumber"}
_TRUE = b"\x01\x01\xff"
_NAMES_BY_OID = {ObjectIdentifier(oid.dotted_string).contents: name for name, oid in names.OIDS.items()}
_STRINGS = {der.UTF8_STRING: "utf-8", der.PRINTABLE_STRING: "ascii"}
MIN_SERIAL_BITS, MAX_SERIAL_BITS = 64, 159
CARD_NUMBER_DIGITS = 19


@dataclass(frozen=True)
class StoredValues:
    """The columns next to a certificate's bytes: `serial` as by `serials.text`, SHA-256 of SubjectPublicKeyInfo in hex."""

    serial: str
    spki_sha256: str
    not_before: dt.datetime
    not_after: dt.datetime


def faults(to_be_signed: bytes, profile: Profile, issuer: Issuer, arc: str, stored: StoredValues | None = None) -> list[str]:
    """Returns the names of the broken rules, without personal data; empty if the certificate may be signed.

    `arc` is the OID arc of our certificate policies; the bytes and the profile determine which of them is required.
    Bytes in which this process has found no fault for the same profile and CA are not read again.
    """
    mark = (hashlib.sha256(to_be_signed).digest(), profile.sha256, issuer.identity, arc)
    read = _faultless.get(mark)
    if read is None:
        found, read = _read(to_be_signed, profile, issuer, arc)
        if found or read is None:
            return found
        _remember(mark, read)
    return [] if stored in (None, read) else ["the stored columns differ from the bytes"]


type _Mark = tuple[bytes, str, tuple[object, ...], str]
_faultless: dict[_Mark, StoredValues] = {}
_MOST_REMEMBERED = 10_000


def _remember(mark: _Mark, read: StoredValues) -> None:
    if len(_faultless) >= _MOST_REMEMBERED:
        _faultless.clear()
    _faultless[mark] = read


def _read(to_be_signed: bytes, profile: Profile, issuer: Issuer, arc: str) -> tuple[list[str], StoredValues | None]:
    if issuer.slug not in profile.issuers:
        return ["the CA may not issue this profile"], None
    try:
        certificate = x509.load_der_x509_certificate(tbs.assemble(to_be_signed, bytes(8)))
        if certificate.tbs_certificate_bytes != to_be_signed:
            return ["not DER"], None
        check = _Check(to_be_signed, certificate, profile, issuer, arc)
        found = [*check.frame(), *check.subject(), *check.key(), *check.extensions()]
        return found, None if found else check.stored()
    except tbs.NotVersionThree:
        return ["fields are not those of version 3"], None
    except UNREADABLE as error:
        return [f"unreadable: {type(error).__name__}"], None


class _Extension(NamedTuple):
    """An extension: `value` is the content of extnValue, `der` the complete extension."""

    critical: bool
    value: bytes
    der: bytes


@functools.lru_cache(maxsize=256)  # most are the same in all certificates of a profile and CA
def _extension(encoded: bytes) -> tuple[str, _Extension]:
    """Returns an extension and its name; the name of an unknown one is its OID in hex. Raises ValueError."""
    oid, *critical, value = der.children(encoded, der.whole(encoded, der.SEQUENCE))
    type_ = encoded[oid.content : oid.end]
    if len(critical) > 1 or (critical and encoded[critical[0].start : critical[0].end] != _TRUE):
        raise ValueError("critical is not DER")
    return _BY_OID.get(type_, type_.hex()), _Extension(bool(critical), encoded[value.content : value.end], encoded)


@functools.lru_cache(maxsize=4096)
def _passed(*_profile_and_issuer: object) -> set[tuple[str, object, bytes]]:
    """Returns the set of extensions that were checked for a profile and a CA; the same bytes are not read again."""
    return set()


class _Check:
    def __init__(
        self,
        raw: bytes,
        certificate: x509.Certificate,
        profile: Profile,
        issuer: Issuer,
        arc: str,
    ) -> None:
        self.raw = raw
        self.fields = tbs.fields(raw)
        self.certificate = certificate
        self.profile = profile
        self.issuer = issuer
        self.arc = arc
        self.values: dict[str, str] = {}

    @functools.cached_property
    def public_key(self) -> CertificatePublicKeyTypes:
        """Returns the subject's key. Raises ValueError, UnsupportedAlgorithm."""
        return self.certificate.public_key()

    def stored(self) -> StoredValues:
        """Returns the values of the bytes that are also stored in columns."""
        spki = hashlib.sha256(self._bytes(self.fields.public_key)).hexdigest()
        start, end = self.times
        return StoredValues(serials.text(self.certificate.serial_number), spki, start, end)

    @functools.cached_property
    def times(self) -> tuple[dt.datetime, dt.datetime]:
        """Returns notBefore and notAfter. Raises ValueError."""
        return self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc

    def _bytes(self, found: der.Element) -> bytes:
        return self.raw[found.start : found.end]

    def frame(self) -> Iterator[str]:
        """Checks version, serial (B1.1), issuer (B1.2), signature algorithm and times (B1.3)."""
        if self.certificate.version is not x509.Version.v3:
            yield "version is not 3"
        if not MIN_SERIAL_BITS <= self.certificate.serial_number.bit_length() <= MAX_SERIAL_BITS:
            yield "serial number length"
        if self._bytes(self.fields.issuer) != self.issuer.name_der:
            yield "issuer is not the CA's subject, byte for byte"
        family = "rsa" if self.issuer.key_kind == "rsa" else "ec"
        if self._bytes(self.fields.algorithm) != tbs.ALGORITHMS[family, self.profile.hash_for(self.issuer.key_kind)]:
            yield "signature algorithm"
        start, end = self.times
        if not start < end:
            yield "notAfter is not after notBefore"
        if (end - start).days > self.profile.max_days or ((end - start).days == self.profile.max_days and (end - start).seconds):
            yield "validity is longer than the profile's"
        if self.issuer.not_after is not None and end > self.issuer.not_after:
            yield "notAfter is past the CA's"
        times = der.children(self.raw, self.fields.validity)
        for name, moment, encoded in zip(("not_before", "not_after"), (start, end), times, strict=True):
            if encoded.tag != (der.UTC_TIME if moment.year < 2050 else der.GENERALIZED_TIME):
                yield f"{name} has the wrong time type"

    def subject(self) -> Iterator[str]:
        """Checks attributes, their order, string types and lengths (B1.11)."""
        values = self.values
        for rdn in der.children(self.raw, self.fields.subject):
            pairs = list(der.children(self.raw, rdn))
            if len(pairs) != 1:
                yield "an RDN has several attributes"
            for pair in pairs:
                type_, value = der.children(self.raw, pair)
                name = _NAMES_BY_OID.get(self.raw[type_.content : type_.end], "")
                if not name or name in values:
                    yield "subject has an unknown or repeated attribute"
                    continue
                values[name] = self.raw[value.content : value.end].decode(_STRINGS.get(value.tag, "latin-1"))
                if value.tag != (der.PRINTABLE_STRING if name in names.PRINTABLE else der.UTF8_STRING):
                    yield f"{name} has the wrong string type"
        order = [attribute.name for attribute in self.profile.subject if attribute.name in values]
        if list(values) != order:
            yield "subject's attributes are out of order"
        yield from (f"{name} in subject" for name in names.faults(self.profile.subject, values))

    def key(self) -> Iterator[str]:
        """Checks the key policy (B1.12)."""
        if keys.fault(self.public_key, self.profile.keys) is not None:
            yield "public key"

    def extensions(self) -> Iterator[str]:
        """Checks presence, order, criticality and content of the extensions (B1.4 to B1.10)."""
        found = self._split()
        expected = list(self.profile.extensions)
        if "subjectAltName" not in found and not self.profile.alternative_name_required:
            expected = [name for name in expected if name != "subjectAltName"]
        if list(found) != expected:
            yield "extensions are not those of the profile, in its order"
            return
        passed = _passed(self.profile.sha256, *self.issuer.identity)
        for name, extension in found.items():
            mark = (name, self._depends_on(name), extension.der)
            if mark in passed:
                continue
            right_place = extension.critical == (name in self.profile.critical)
            if not right_place:
                yield f"{name} has the wrong criticality"
            if not self._holds(name, extension):
                yield f"{name} has the wrong content"
            elif right_place and name in _REPEATED:
                passed.add(mark)

    def _split(self) -> dict[str, "_Extension"]:
        """Returns the extensions by name, in their order. Raises ValueError, x509.DuplicateExtension."""
        found: dict[str, _Extension] = {}
        (sequence,) = der.children(self.raw, self.fields.extensions)
        for each in der.children(self.raw, sequence):
            name, extension = _extension(self._bytes(each))
            if name in found:
                raise x509.DuplicateExtension(f"{name} twice", x509.ObjectIdentifier("2.5.29"))
            found[name] = extension
        return found

    def _depends_on(self, name: str) -> object:
        """Returns what determines the extension's correct content in addition to the profile and the CA."""
        if name == "keyUsage":
            return keys.kind(self.public_key) == "rsa"
        return tuple(self._policies()) if name == "certificatePolicies" else None

    def _holds(self, name: str, extension: "_Extension") -> bool:
        if name == "subjectKeyIdentifier":
            return self._is_key_identifier(extension.value)
        if name == "cardNumber":
            return self._is_card_number(extension.value)
        if name == "subjectAltName":
            return self._has_known_names(extension.value)
        value = self.certificate.extensions.get_extension_for_oid(x509.ObjectIdentifier(_EXTENSIONS[name])).value
        return bool(getattr(self, f"_{name}")(value))

    def _authorityKeyIdentifier(self, value: x509.AuthorityKeyIdentifier) -> bool:  # noqa: N802  (named as the extension)
        return value == x509.AuthorityKeyIdentifier(self.issuer.ski, None, None)

    def _is_key_identifier(self, value: bytes) -> bool:
        """Returns whether it is the SHA-1 of the key's bits (RFC 5280 section 4.2.1.2 method 1)."""
        _algorithm, bit_string = der.children(self.raw, self.fields.public_key)
        bits = self.raw[bit_string.content + 1 : bit_string.end]
        return value == der.encoded(der.OCTET_STRING, hashlib.sha1(bits, usedforsecurity=False).digest())

    def _keyUsage(self, value: x509.KeyUsage) -> bool:  # noqa: N802
        agreement = value.key_agreement
        on = {
            name
            for name, attribute in tbs.KEY_USAGES.items()
            if (agreement or attribute not in ("encipher_only", "decipher_only")) and getattr(value, attribute)
        }
        return on == tbs.key_usages(self.profile, self.public_key)

    def _extendedKeyUsage(self, value: x509.ExtendedKeyUsage) -> bool:  # noqa: N802
        return [oid.dotted_string for oid in value] == list(self.profile.extended_key_usage)

    def _certificatePolicies(self, value: x509.CertificatePolicies) -> bool:  # noqa: N802
        plain = all(policy.policy_qualifiers is None for policy in value)
        expected = self._policies()
        return plain and bool(expected) and [policy.policy_identifier.dotted_string for policy in value] == expected

    def _policies(self) -> list[str]:
        try:
            return self.profile.policies(self.issuer.slug, self.values, self.arc, self.times[0])
        except PolicyEnded:
            return []

    def _basicConstraints(self, value: x509.BasicConstraints) -> bool:  # noqa: N802
        return value.ca and value.path_length == self.profile.path_length

    def _has_known_names(self, value: bytes) -> bool:
        """Returns whether it has names, only of the profile's kinds, each with that kind's type: IA5String or UTF8String."""
        names_ = der.children(value, der.whole(value, der.SEQUENCE))
        return bool(names_) and {_kind_of_name(value, each) for each in names_} <= set(self.profile.alternative_names)

    def _cRLDistributionPoints(self, value: x509.CRLDistributionPoints) -> bool:  # noqa: N802
        return value == x509.CRLDistributionPoints(
            [x509.DistributionPoint([x509.UniformResourceIdentifier(self.issuer.crl_url)], None, None, None)]
        ) and _is_http(self.issuer.crl_url)

    def _authorityInfoAccess(self, value: x509.AuthorityInformationAccess) -> bool:  # noqa: N802
        entries = [(each.access_method, each.access_location.value) for each in value]
        expected = [
            (AuthorityInformationAccessOID.OCSP, self.issuer.ocsp_url),
            (AuthorityInformationAccessOID.CA_ISSUERS, self.issuer.aia_url),
        ]
        return entries == expected and all(_is_http(url) for _method, url in expected)

    def _is_card_number(self, value: bytes) -> bool:
        number = value[der.whole(value, der.PRINTABLE_STRING).content :].decode("ascii")
        if self.profile.subject_is_card and number != self.values.get("serialNumber"):
            return False
        return number.isdigit() and len(number) == CARD_NUMBER_DIGITS

    def _qcStatements(self, value: x509.UnrecognizedExtension) -> bool:  # noqa: N802
        return value.value == qc_statements.build(self.profile.qc_statements)

    def _ocspNoCheck(self, _value: x509.OCSPNoCheck) -> bool:  # noqa: N802
        return True


def _is_http(url: str) -> bool:
    return url.startswith("http://")


def _kind_of_name(data: bytes, name: der.Element) -> str:
    """Returns the kind of a GeneralName (RFC 5280 section 4.2.1.6), or "" if it is not encoded as that kind must be."""
    if name.tag == _OTHER_NAME:
        type_, value = der.children(data, name)
        (string,) = der.children(data, value)
        data[string.content : string.end].decode("utf-8")
        known = value.tag == 0xA0 and string.tag == der.UTF8_STRING
        return _OTHER_NAMES.get(data[type_.start : type_.end], "") if known else ""
    octets = data[name.content : name.end]
    if name.tag == _IP_ADDRESS:
        return "iPAddress" if len(octets) in (4, 16) else ""
    return _IA5_NAMES.get(name.tag, "") if octets.isascii() else ""


_OTHER_NAME, _IP_ADDRESS = 0xA0, 0x87
_IA5_NAMES = {0x81: "rfc822Name", 0x82: "dNSName"}
_OTHER_NAMES = {
    ObjectIdentifier(alternative_names.USER_PRINCIPAL_NAME).dump(): "userPrincipalName",
    ObjectIdentifier(alternative_names.SMTP_UTF8_MAILBOX).dump(): "smtpUtf8Mailbox",
}
