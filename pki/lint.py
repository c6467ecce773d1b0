"""Our own check of a to-be-signed certificate against its profile, before every signature (RFC 5280, spec B1).

It reads the bytes back and knows nothing of how they were built, so a fault in the builder does not pass by itself.
"""

import hashlib
from collections.abc import Iterator

from asn1crypto.core import ObjectIdentifier
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from pki.domain import alternative_names, der, keys, names, qc_statements, tbs
from pki.domain.policies import PolicyEnded
from pki.domain.profile import CARD_NUMBER, QC_STATEMENTS, Profile
from pki.domain.tbs import Issuer

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
_BY_OID = {oid: name for name, oid in _EXTENSIONS.items()}
_NAMES_BY_OID = {ObjectIdentifier(oid.dotted_string).contents: name for name, oid in names.OIDS.items()}
_STRINGS = {der.UTF8_STRING: "utf-8", der.PRINTABLE_STRING: "ascii"}
MIN_SERIAL_BITS, MAX_SERIAL_BITS = 64, 159
CARD_NUMBER_DIGITS = 19


def faults(to_be_signed: bytes, profile: Profile, issuer: Issuer, arc: str) -> list[str]:
    """Names of the rules that the bytes break, without personal data; empty if the certificate may be signed.

    `arc` is the OID under which certificate policies lie; which of them it must be follows from the bytes and the profile.
    """
    if issuer.slug not in profile.issuers:
        return ["the CA may not issue this profile"]
    try:
        certificate = x509.load_der_x509_certificate(tbs.assemble(to_be_signed, bytes(8)))
        if certificate.tbs_certificate_bytes != to_be_signed:
            return ["not DER"]
        check = _Check(to_be_signed, certificate, profile, issuer, arc)
        return [*check.frame(), *check.subject(), *check.key(), *check.extensions()]
    except tbs.NotVersionThree:
        return ["fields are not those of version 3"]
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion) as error:
        return [f"unreadable: {type(error).__name__}"]


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

    def _bytes(self, found: der.Element) -> bytes:
        return self.raw[found.start : found.end]

    def frame(self) -> Iterator[str]:
        """Version, serial (B1.1), issuer (B1.2), signature algorithm, times (B1.3)."""
        if self.certificate.version is not x509.Version.v3:
            yield "version is not 3"
        if not MIN_SERIAL_BITS <= self.certificate.serial_number.bit_length() <= MAX_SERIAL_BITS:
            yield "serial number length"
        if self._bytes(self.fields.issuer) != self.issuer.name.public_bytes():
            yield "issuer is not the CA's subject, byte for byte"
        issuer_key = keys.kind(self.issuer.public_key)
        family = "rsa" if issuer_key == "rsa" else "ec"
        if self._bytes(self.fields.algorithm) != tbs.ALGORITHMS[family, self.profile.hash_for(issuer_key)]:
            yield "signature algorithm"
        start, end = self.certificate.not_valid_before_utc, self.certificate.not_valid_after_utc
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
        """Attributes, their order, string types and lengths (B1.11)."""
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
        """Key policy (B1.12)."""
        if keys.fault(self.certificate.public_key(), self.profile.keys) is not None:
            yield "public key"

    def extensions(self) -> Iterator[str]:
        """Which extensions there are, in which order, how critical, and what each holds (B1.4 to B1.10)."""
        found = {_BY_OID.get(each.oid.dotted_string, each.oid.dotted_string): each for each in self.certificate.extensions}
        expected = list(self.profile.extensions)
        if "subjectAltName" not in found and not self.profile.alternative_name_required:
            expected = [name for name in expected if name != "subjectAltName"]
        if list(found) != expected:
            yield "extensions are not those of the profile, in its order"
            return
        for name, extension in found.items():
            if extension.critical != (name in self.profile.critical):
                yield f"{name} has the wrong criticality"
            if not getattr(self, f"_{name}")(extension.value):
                yield f"{name} has the wrong content"

    def _authorityKeyIdentifier(self, value: x509.AuthorityKeyIdentifier) -> bool:  # noqa: N802  (named as the extension)
        return value == x509.AuthorityKeyIdentifier(self.issuer.ski, None, None)

    def _subjectKeyIdentifier(self, value: x509.SubjectKeyIdentifier) -> bool:  # noqa: N802
        _algorithm, bit_string = der.children(self.raw, self.fields.public_key)
        bits = self.raw[bit_string.content + 1 : bit_string.end]
        return value.digest == hashlib.sha1(bits, usedforsecurity=False).digest()

    def _keyUsage(self, value: x509.KeyUsage) -> bool:  # noqa: N802
        agreement = value.key_agreement
        on = {
            name
            for name, attribute in tbs.KEY_USAGES.items()
            if (agreement or attribute not in ("encipher_only", "decipher_only")) and getattr(value, attribute)
        }
        return on == tbs.key_usages(self.profile, self.certificate.public_key())

    def _extendedKeyUsage(self, value: x509.ExtendedKeyUsage) -> bool:  # noqa: N802
        return [oid.dotted_string for oid in value] == list(self.profile.extended_key_usage)

    def _certificatePolicies(self, value: x509.CertificatePolicies) -> bool:  # noqa: N802
        try:
            expected = self.profile.policies(self.issuer.slug, self.values, self.arc, self.certificate.not_valid_before_utc)
        except PolicyEnded:
            return False
        plain = all(policy.policy_qualifiers is None for policy in value)
        return plain and [policy.policy_identifier.dotted_string for policy in value] == expected

    def _basicConstraints(self, value: x509.BasicConstraints) -> bool:  # noqa: N802
        return value.ca and value.path_length == self.profile.path_length

    def _subjectAltName(self, value: x509.SubjectAlternativeName) -> bool:  # noqa: N802
        return len(value) > 0 and set(alternative_names.kinds(value)) <= set(self.profile.alternative_names)

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

    def _cardNumber(self, value: x509.UnrecognizedExtension) -> bool:  # noqa: N802
        encoded = der.whole(value.value, der.PRINTABLE_STRING)
        number = value.value[encoded.content :].decode("ascii")
        if self.profile.subject_is_card and number != self.values.get("serialNumber"):
            return False
        return number.isascii() and number.isdigit() and len(number) == CARD_NUMBER_DIGITS

    def _qcStatements(self, value: x509.UnrecognizedExtension) -> bool:  # noqa: N802
        return value.value == qc_statements.build(self.profile.qc_statements)

    def _ocspNoCheck(self, _value: x509.OCSPNoCheck) -> bool:  # noqa: N802
        return True


def _is_http(url: str) -> bool:
    return url.startswith("http://")
