"""The eID app's check of a receipt before the card signs it: SignedAttrs, PDF and certificate belong together."""

import hashlib
import re
from collections.abc import Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization


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
    der = x509.load_pem_x509_certificate(certificate_pem.encode()).public_bytes(serialization.Encoding.DER)
    same = named["hash_algorithm"]["algorithm"].native == "sha256" and named["cert_hash"].native == hashlib.sha256(der).digest()
    return "" if same else "other-certificate"
