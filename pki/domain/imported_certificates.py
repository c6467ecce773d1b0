"""Certificates that another installation issued: checks that they are this CA's, and reads them (rules/pki 9.2).

Uses neither Django nor tokens, so that processes which only do this start quickly.
"""

import ctypes
import datetime as dt
import hashlib
import signal
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_der_public_key
from cryptography.x509.oid import AuthorityInformationAccessOID

from pki.domain import der, serials
from siths_portal.lib.certificates.unreadable import UNREADABLE

_ALGORITHM, _ISSUER, _SPKI = 2, 3, 6  # positions in TBSCertificate, after the version
_RSA = bytes.fromhex("06092a864886f70d010101")  # rsaEncryption (RFC 8017 appendix C)


@dataclass(frozen=True, slots=True)
class ExpectedIssuer:
    """The CA as in its certificates: subject and public key in DER, and its subject key identifier."""

    subject: bytes
    public_key: bytes
    identifier: bytes


Address = tuple[str, str]
"""The use of a URL in a certificate (`crl`, `ocsp` or `caIssuers`), and the URL."""
_USES = {AuthorityInformationAccessOID.OCSP: "ocsp", AuthorityInformationAccessOID.CA_ISSUERS: "caIssuers"}


@dataclass(frozen=True, slots=True)
class CheckedContent:
    """The content of a certificate of the CA. `serial` as in the database; hashes in lower-case hex."""

    serial: str
    not_before: dt.datetime
    not_after: dt.datetime
    tbs_sha256: str
    spki_sha256: str
    is_rsa: bool = False
    addresses: tuple[Address, ...] = ()


class NotOurs(ValueError):
    """The certificate is not this CA's; the text is the kind: unreadable, serial, issuer, issuer-key or signature."""


class Checker:
    """Checks certificates against one CA: issuer name byte for byte, key identifier, signature (B1.2, B1.4)."""

    def __init__(self, expected: ExpectedIssuer) -> None:
        self._expected = expected
        self._key = load_der_public_key(expected.public_key)

    def check(self, content: bytes) -> CheckedContent:
        """Returns the content of a certificate. Raises NotOurs."""
        try:
            certificate = x509.load_der_x509_certificate(content)
            fields = _fields(content)
            serial = serials.text(serials.number(f"{certificate.serial_number:X}"))
            addresses = addresses_of(certificate)
        except UNREADABLE:
            raise NotOurs("unreadable") from None
        if fields.issuer != self._expected.subject:
            raise NotOurs("issuer")
        if not self._names_the_key(certificate):
            raise NotOurs("issuer-key")
        tbs = certificate.tbs_certificate_bytes
        if fields.inner_algorithm != fields.outer_algorithm or not self._is_signed(certificate, tbs):
            raise NotOurs("signature")
        return CheckedContent(
            serial,
            certificate.not_valid_before_utc,
            certificate.not_valid_after_utc,
            hashlib.sha256(tbs).hexdigest(),
            hashlib.sha256(fields.spki).hexdigest(),
            _is_rsa(fields.spki),
            addresses,
        )

    def _names_the_key(self, certificate: x509.Certificate) -> bool:
        """Whether the authority key identifier is the CA's; older certificates may lack it."""
        try:
            found = certificate.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
        except x509.ExtensionNotFound:
            return True
        return found is None or found == self._expected.identifier

    def _is_signed(self, certificate: x509.Certificate, tbs: bytes) -> bool:
        key = self._key
        try:
            parameters, algorithm = certificate.signature_algorithm_parameters, certificate.signature_hash_algorithm
            if isinstance(key, rsa.RSAPublicKey) and algorithm is not None:
                key.verify(certificate.signature, tbs, parameters, algorithm)  # type: ignore[arg-type]
            elif isinstance(key, ec.EllipticCurvePublicKey) and isinstance(parameters, ec.ECDSA):
                key.verify(certificate.signature, tbs, parameters)
            else:
                return False
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class _Fields:
    issuer: bytes
    spki: bytes
    inner_algorithm: bytes
    outer_algorithm: bytes


def _fields(content: bytes) -> _Fields:
    outer = list(der.children(content, der.whole(content, der.SEQUENCE)))
    inner = list(der.children(content, outer[0]))
    if len(outer) != 3 or len(inner) < 7:
        raise ValueError("not a version 3 certificate")

    def bytes_of(element: der.Element) -> bytes:
        return content[element.start : element.end]

    return _Fields(bytes_of(inner[_ISSUER]), bytes_of(inner[_SPKI]), bytes_of(inner[_ALGORITHM]), bytes_of(outer[1]))


def _is_rsa(spki: bytes) -> bool:
    algorithm = der.children(spki, der.whole(spki, der.SEQUENCE))[0]
    return spki.startswith(_RSA, algorithm.content)


def addresses_of(certificate: x509.Certificate) -> tuple[Address, ...]:
    """Returns the URLs of CRLs, OCSP and the issuer's certificate in the certificate, in its order. Raises UNREADABLE."""
    found: list[tuple[str, x509.GeneralName]] = []
    for extension in certificate.extensions:
        value = extension.value
        if isinstance(value, x509.CRLDistributionPoints):
            found += [("crl", name) for point in value for name in point.full_name or ()]
        elif isinstance(value, x509.AuthorityInformationAccess):
            found += [(_USES[each.access_method], each.access_location) for each in value if each.access_method in _USES]
    return tuple((use, name.value) for use, name in found if isinstance(name, x509.UniformResourceIdentifier))


def check_all(checker: Checker, contents: list[bytes]) -> list[CheckedContent | str]:
    """Returns the content of each certificate, or the kind of its fault."""
    found: list[CheckedContent | str] = []
    for content in contents:
        try:
            found.append(checker.check(content))
        except NotOurs as fault:
            found.append(str(fault))
    return found


_checker: Checker | None = None


def prepare(expected: ExpectedIssuer) -> None:
    """Prepares this process for `check_here`. The process ends when its parent ends, even if that is killed."""
    global _checker
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    _checker = Checker(expected)


def check_here(contents: list[bytes]) -> list[CheckedContent | str]:
    """Like `check_all`, in a process of the pool."""
    if _checker is None:
        raise RuntimeError("the process was not prepared")
    return check_all(_checker, contents)
