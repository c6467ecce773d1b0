"""Detached CMS signatures (RFC 5652) by one of several known certificates, as `openssl cms -sign -binary` makes them."""

import base64
import datetime as dt
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from asn1crypto import cms
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from siths_portal.lib.certificates.unreadable import UNREADABLE

DIGESTS = ("sha256", "sha384", "sha512")
LEAST_RSA_BITS = 2048
LONGEST = 100_000
_PEM = re.compile(rb"-----BEGIN (CMS|PKCS7)-----(.+?)-----END \1-----", re.S)


class NotSigned(ValueError):
    """The signature is not one over this content by one of these certificates; the text is Swedish and says why."""


# Other exceptions of the CMS libraries, for invalid bytes and for unknown algorithms and types of values.
_NO_CMS: Final = (*UNREADABLE, KeyError, IndexError, AttributeError, NotImplementedError)


@dataclass(frozen=True)
class Signature:
    """A verified signature: DER of the CMS, the signer's certificate, and the signing time that the signer states."""

    der: bytes = field(repr=False)
    certificate: x509.Certificate = field(repr=False)
    signed_at: dt.datetime


def verify(signature: bytes, content: bytes, certificates: Sequence[x509.Certificate]) -> Signature:
    """Returns the signature, in DER or PEM, if it is over `content` and by one of `certificates`. Raises NotSigned.

    It must have signed attributes with the signing time, and one signer. Certificates inside it are ignored. The caller checks
    whether the certificate is valid.
    """
    # Imported here, because the library takes 15 MB in every process that loads it, and ceremonies are rare.
    from pyhanko.sign.validation.errors import SignatureValidationError
    from pyhanko.sign.validation.generic_cms import validate_sig_integrity

    der = _der(signature)
    try:
        signed_data = _signed_data(der)
        (info,) = signed_data["signer_infos"]
        certificate = _signer(info["sid"], certificates)
        digest = info["digest_algorithm"]["algorithm"].native
        if not {digest, _signature_digest(info["signature_algorithm"], digest)} <= set(DIGESTS):
            raise NotSigned("signaturens hashalgoritm är för svag eller okänd; använd SHA-256")
        actual = hashlib.new(digest, content).digest()
        parsed = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
        intact, valid = validate_sig_integrity(info, parsed, "data", actual)
        signed_at = _signing_time(info)
    except NotSigned:
        raise
    except (*_NO_CMS, SignatureValidationError) as error:
        raise NotSigned("signaturen går inte att läsa som CMS med signerade attribut (DER eller PEM)") from error
    if not intact:
        raise NotSigned("signaturen gäller ett annat dokument (signera filen som den är: openssl cms -sign -binary)")
    if not valid:
        raise NotSigned("signaturen stämmer inte med godkännarens nyckel")
    return Signature(der, certificate, signed_at)


def key_fault(certificate: x509.Certificate) -> str:
    """Returns why the certificate's key may not sign approvals, in Swedish; empty if it may."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        strong = key.key_size >= LEAST_RSA_BITS
    else:
        strong = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in ("secp256r1", "secp384r1", "secp521r1")
    if not strong:
        return "nyckeln är för svag eller av okänd sort"
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return ""
    return "" if usage.digital_signature or usage.content_commitment else "certifikatet är inte för underskrift"


def _der(signature: bytes) -> bytes:
    if len(signature) > LONGEST:
        raise NotSigned("signaturen är för stor")
    found = _PEM.search(signature)
    if found is None:
        return signature
    try:
        return base64.b64decode(b"".join(found[2].split()), validate=True)
    except ValueError:
        raise NotSigned("signaturens PEM går inte att läsa") from None


def _signed_data(der: bytes) -> cms.SignedData:
    info = cms.ContentInfo.load(der, strict=True)
    if info["content_type"].native != "signed_data":
        raise NotSigned("filen är inte en CMS-signatur")
    signed_data: cms.SignedData = info["content"]
    if signed_data["encap_content_info"]["content_type"].native != "data":
        raise NotSigned("signaturen gäller inte data")
    if signed_data["encap_content_info"]["content"].native is not None:
        raise NotSigned("signaturen bär ett eget dokument; den ska vara skild från filen (openssl cms -sign utan -nodetach)")
    if len(signed_data["signer_infos"]) != 1:
        raise NotSigned("signaturen ska vara en persons")
    return signed_data


def _signer(sid: cms.SignerIdentifier, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    for certificate in certificates:
        parsed = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
        if sid.name == "subject_key_identifier":
            matches = parsed.key_identifier is not None and parsed.key_identifier == sid.native
        else:
            named = sid.chosen
            matches = named["issuer"] == parsed.issuer and named["serial_number"].native == parsed.serial_number
        if matches:
            return certificate
    raise NotSigned("den som har signerat är inte en av filens godkännare")


def _signature_digest(algorithm: cms.SignedDigestAlgorithm, digest: str) -> str:
    """Returns the hash of the signature itself; `rsaEncryption`, as OpenSSL writes it, has none and means the digest's."""
    if algorithm["algorithm"].native == "rsassa_pkcs1v15":
        return digest
    return str(algorithm.hash_algo)


def _signing_time(info: cms.SignerInfo) -> dt.datetime:
    from pyhanko.sign.general import MultivaluedAttributeError, NonexistentAttributeError, find_unique_cms_attribute

    if info["signed_attrs"].native is None:
        raise NotSigned("signaturen saknar signerade attribut (openssl cms -sign utan -noattr)")
    try:
        value = find_unique_cms_attribute(info["signed_attrs"], "signing_time")
    except (NonexistentAttributeError, MultivaluedAttributeError):
        raise NotSigned("signaturen saknar tid för underskriften") from None
    moment: dt.datetime = value.native
    return moment.astimezone(dt.UTC)
