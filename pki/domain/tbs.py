"""To-be-signed certificates (RFC 5280 section 4.1): built from a profile, without a CA's private key."""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

from pki.domain import alternative_names, der, keys, names, qc_statements
from pki.domain.profile import CARD_NUMBER, QC_STATEMENTS, Profile

HASHES: dict[str, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    "sha256": hashes.SHA256(),
    "sha384": hashes.SHA384(),
    "sha512": hashes.SHA512(),
}
# AlgorithmIdentifiers in DER (RFC 4055 section 5: with NULL; RFC 5758 section 3.2: without), by family of keys and hash.
ALGORITHMS: dict[tuple[str, str], bytes] = {
    ("rsa", "sha256"): bytes.fromhex("300d06092a864886f70d01010b0500"),
    ("rsa", "sha384"): bytes.fromhex("300d06092a864886f70d01010c0500"),
    ("rsa", "sha512"): bytes.fromhex("300d06092a864886f70d01010d0500"),
    ("ec", "sha256"): bytes.fromhex("300a06082a8648ce3d040302"),
    ("ec", "sha384"): bytes.fromhex("300a06082a8648ce3d040303"),
    ("ec", "sha512"): bytes.fromhex("300a06082a8648ce3d040304"),
}
_HASH_OF = {algorithm: name for (_family, name), algorithm in ALGORITHMS.items()}
_EXTENSIONS, _VERSION_3 = 0xA3, bytes.fromhex("a003020102")
_FIELDS = [0xA0, der.INTEGER, der.SEQUENCE, der.SEQUENCE, der.SEQUENCE, der.SEQUENCE, der.SEQUENCE, _EXTENSIONS]
KEY_USAGES = {
    "digitalSignature": "digital_signature",
    "contentCommitment": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}


@dataclass(frozen=True)
class Issuer:
    """The values that a certificate takes from its CA: name and key identifier as in the CA's certificate, and URLs."""

    slug: str
    name: x509.Name
    ski: bytes
    public_key: PublicKeyTypes = field(repr=False)
    not_after: dt.datetime | None = None
    crl_url: str = ""
    ocsp_url: str = ""
    aia_url: str = ""

    @cached_property
    def name_der(self) -> bytes:
        """Returns the name in DER."""
        return self.name.public_bytes()

    @cached_property
    def key_kind(self) -> str:
        """Returns the kind of its key (see `keys.kind`)."""
        return keys.kind(self.public_key)

    @cached_property
    def identity(self) -> tuple[object, ...]:
        """Equal for two issuers exactly if both need the same bytes; hashable, unlike keys."""
        key = keys.spki_sha256(self.public_key)
        return (self.slug, self.name_der, self.ski, key, self.not_after, self.crl_url, self.ocsp_url, self.aia_url)


@dataclass(frozen=True)
class Content:
    """The values that differ between certificates of one profile. `policies` are OIDs."""

    subject: Mapping[str, str] = field(repr=False)
    alternative: Mapping[str, str] = field(repr=False)
    public_key: PublicKeyTypes = field(repr=False)
    serial: int
    not_before: dt.datetime
    not_after: dt.datetime
    policies: tuple[str, ...] = ()
    card_number: str | None = field(default=None, repr=False)

    @cached_property
    def spki(self) -> bytes:
        """Returns the key's SubjectPublicKeyInfo in DER."""
        return keys.spki(self.public_key)


def build(profile: Profile, issuer: Issuer, content: Content) -> bytes:
    """Returns the DER of the TBSCertificate. Extensions come in the fixed order; times are truncated to seconds.

    It is assembled from parts, most of which all certificates of a profile and CA share (ADR 0150). Raises ValueError for times
    before 1950 and for a negative serial.
    """
    family = "rsa" if issuer.key_kind == "rsa" else "ec"
    times = der.time(der.seconds(content.not_before)) + der.time(der.seconds(content.not_after))
    extensions = der.encoded(der.SEQUENCE, b"".join(_extensions(profile, issuer, content)))
    parts = (
        _VERSION_3,
        der.integer(content.serial),
        ALGORITHMS[family, profile.hash_for(issuer.key_kind)],
        issuer.name_der,
        der.encoded(der.SEQUENCE, times),
        names.encode(profile.subject, content.subject),
        content.spki,
        der.encoded(_EXTENSIONS, extensions),
    )
    return der.encoded(der.SEQUENCE, b"".join(parts))


def key_usages(profile: Profile, public_key: PublicKeyTypes) -> set[str]:
    """Returns the key usages of a certificate for this key."""
    extra = profile.key_usage_rsa if isinstance(public_key, rsa.RSAPublicKey) else ()
    return {*profile.key_usage, *extra}


def _extensions(profile: Profile, issuer: Issuer, content: Content) -> Iterator[bytes]:
    """Yields extensions in DER, in their order."""
    usages = frozenset(key_usages(profile, content.public_key))
    repeated = _repeated(profile, issuer, usages, content.policies)
    for name in profile.extensions:
        encoded = repeated.get(name)
        if encoded is not None:
            yield encoded
        elif (value := _varying(profile, name, content)) is not None:
            yield der.extension(_VARYING[name], name in profile.critical, value)


_VARYING = {
    "subjectKeyIdentifier": ExtensionOID.SUBJECT_KEY_IDENTIFIER.dotted_string,
    "subjectAltName": ExtensionOID.SUBJECT_ALTERNATIVE_NAME.dotted_string,
    "cardNumber": CARD_NUMBER,
}


def _varying(profile: Profile, name: str, content: Content) -> bytes | None:
    """Returns the DER value of an extension that differs in each certificate; None if the certificate lacks it."""
    if name == "subjectKeyIdentifier":
        return der.encoded(der.OCTET_STRING, keys.identifier(content.spki))
    if name == "subjectAltName":
        found = alternative_names.build(profile.alternative_names, content.alternative)
        return None if found is None else found.public_bytes()
    if name == "cardNumber" and content.card_number is not None:
        return der.encoded(der.PRINTABLE_STRING, content.card_number.encode("ascii"))
    return None


_made: dict[tuple[object, ...], dict[str, bytes]] = {}
_MOST_MADE = 1000


def _repeated(profile: Profile, issuer: Issuer, usages: frozenset[str], policies: tuple[str, ...]) -> dict[str, bytes]:
    """Returns the extensions that certificates of one profile and CA share, in DER; the library encodes them once."""
    key = (profile.sha256, issuer.identity, usages, policies)
    found = _made.get(key)
    if found is None:
        if len(_made) >= _MOST_MADE:
            _made.clear()
        values = _values(profile, issuer, usages, policies)
        found = _made[key] = {
            name: der.extension(value.oid.dotted_string, name in profile.critical, value.public_bytes())
            for name, value in values.items()
        }
    return found


def _values(profile: Profile, issuer: Issuer, usages: frozenset[str], policies: tuple[str, ...]) -> dict[str, x509.ExtensionType]:
    has = profile.has_extension
    values: dict[str, x509.ExtensionType] = {
        # The issuer's identifier as in its certificate, not computed again (B1.4).
        "authorityKeyIdentifier": x509.AuthorityKeyIdentifier(issuer.ski, None, None),
        "keyUsage": x509.KeyUsage(**{field_name: name in usages for name, field_name in KEY_USAGES.items()}),
    }
    if has("extendedKeyUsage"):
        values["extendedKeyUsage"] = x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in profile.extended_key_usage])
    if policies:
        values["certificatePolicies"] = x509.CertificatePolicies(_policies(policies))
    if has("basicConstraints"):
        values["basicConstraints"] = x509.BasicConstraints(ca=True, path_length=profile.path_length)
    if has("cRLDistributionPoints"):
        values["cRLDistributionPoints"] = x509.CRLDistributionPoints(
            [x509.DistributionPoint([x509.UniformResourceIdentifier(issuer.crl_url)], None, None, None)]
        )
        values["authorityInfoAccess"] = x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(issuer.ocsp_url)),
                x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer.aia_url)),
            ]
        )
    if has("ocspNoCheck"):
        values["ocspNoCheck"] = x509.OCSPNoCheck()
    if has("qcStatements"):
        encoded = qc_statements.build(profile.qc_statements)
        values["qcStatements"] = x509.UnrecognizedExtension(x509.ObjectIdentifier(QC_STATEMENTS), encoded)
    return values


def _policies(oids: Iterable[str]) -> list[x509.PolicyInformation]:
    return [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in oids]


class NotVersionThree(ValueError):
    """The fields are not those of a version 3 certificate with extensions and without unique identifiers."""


class Fields(NamedTuple):
    """The positions of the fields of a TBSCertificate."""

    version: der.Element
    serial: der.Element
    algorithm: der.Element
    issuer: der.Element
    validity: der.Element
    subject: der.Element
    public_key: der.Element
    extensions: der.Element


def fields(to_be_signed: bytes) -> Fields:
    """Returns the positions. Raises NotVersionThree, and ValueError for bytes that are not DER."""
    found = der.children(to_be_signed, der.whole(to_be_signed, der.SEQUENCE))
    if [each.tag for each in found] != _FIELDS:
        raise NotVersionThree
    return Fields(*found)


@lru_cache(maxsize=256)  # called several times for the certificates of one batch
def _algorithm(to_be_signed: bytes) -> bytes:
    found = fields(to_be_signed).algorithm
    return to_be_signed[found.start : found.end]


def assemble(to_be_signed: bytes, signature: bytes) -> bytes:
    """Returns DER of the Certificate: the unchanged TBS, its own signature algorithm, the signature. ValueError as `fields`."""
    bits = der.encoded(der.BIT_STRING, b"\0" + signature)
    return der.encoded(der.SEQUENCE, to_be_signed + _algorithm(to_be_signed) + bits)


def signature_hash(to_be_signed: bytes) -> str:
    """Returns `sha256`, `sha384` or `sha512`, as in the TBS. Raises ValueError for anything else."""
    name = _HASH_OF.get(_algorithm(to_be_signed))
    if name is None:
        raise ValueError("an unknown signature algorithm")
    return name


def subject(to_be_signed: bytes) -> dict[str, str]:
    """Returns the subject's attributes by their RFC 4519 names; leaves out unsupported ones."""
    rdns = x509.load_der_x509_certificate(assemble(to_be_signed, bytes(8))).subject.rdns
    by_oid = {oid: name for name, oid in names.OIDS.items()}
    return {by_oid[each.oid]: str(each.value) for rdn in rdns for each in rdn if each.oid in by_oid}


def verify(certificate: x509.Certificate, public_key: PublicKeyTypes) -> None:
    """Verifies a certificate's signature with its CA's key. Raises cryptography's InvalidSignature."""
    verify_signature(certificate.tbs_certificate_bytes, certificate.signature, public_key)


def verify_signature(to_be_signed: bytes, signature: bytes, public_key: PublicKeyTypes) -> None:
    """Verifies a signature over the TBS, by the algorithm in it. Raises cryptography's InvalidSignature."""
    algorithm = HASHES[signature_hash(to_be_signed)]
    if isinstance(public_key, rsa.RSAPublicKey):
        public_key.verify(signature, to_be_signed, padding.PKCS1v15(), algorithm)
    elif isinstance(public_key, ec.EllipticCurvePublicKey):
        public_key.verify(signature, to_be_signed, ec.ECDSA(algorithm))
    else:
        raise ValueError("a CA's key is RSA or EC")
