"""The eID app's checks before the card signs: SignedAttrs, PDF and certificate belong together, and the named certificate is on
the card.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from siths_portal.simulators.eid_app_errors import Untrusted


def fault(pdf: bytes, signed_attributes: bytes, byte_range: Sequence[int], algorithm: str, certificate_pem: str) -> str:
    """Returns why the card must not sign, or "" if the SignedAttrs (RFC 5652 section 5.3) have the PDF and the certificate (RFC
    5035). Raises ValueError, KeyError or TypeError for bytes of another form.
    """
    from asn1crypto import cms, tsp  # slow to load, and most steps need neither

    start, before, after, rest = byte_range
    if start != 0 or after < before or after + rest != len(pdf) or not re.fullmatch(rb"<[0-9A-Fa-f]*>", pdf[before:after]):
        return "byte-range"
    digest = hashlib.sha256(pdf[:before] + pdf[after:]).digest()
    attributes: dict[str, Any] = {}
    for attribute in cms.CMSAttributes.load(signed_attributes, strict=True):
        if attribute["type"].native in attributes or len(attribute["values"]) != 1:
            return "signed-attributes"
        attributes[attribute["type"].native] = attribute["values"][0]
    if algorithm != "sha256" or attributes["message_digest"].native != digest or attributes["content_type"].native != "data":
        return "other-document"
    certificates = attributes["signing_certificate_v2"]
    if not isinstance(certificates, tsp.SigningCertificateV2):  # importing `tsp` registers this attribute in `cms`
        return "signed-attributes"
    named = certificates["certs"][0]
    same = named["hash_algorithm"]["algorithm"].native == "sha256" and named["cert_hash"].native == _sha256(certificate_pem)
    return "" if same else "other-certificate"


def label_of(certificates: Mapping[str, str], sha256: str) -> str:
    """Returns the label of the certificate (PEM, by label) with this SHA-256. Raises Untrusted if the card does not have it."""
    for label, pem in certificates.items():
        if _sha256(pem).hex() == sha256:
            return label
    raise Untrusted("not-on-this-card")


def _sha256(pem: str) -> bytes:
    der = x509.load_pem_x509_certificate(pem.encode()).public_bytes(serialization.Encoding.DER)
    return hashlib.sha256(der).digest()
