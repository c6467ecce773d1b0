"""Findings of pkilint in a certificate (rules/pki 2.4): a second check in addition to our own in `lint`.

pkilint needs complete certificates, so to-be-signed bytes get the signature of a temporary key of the issuer's type. The library
is loaded at first use: loading takes a quarter of a second, and most processes never need it.
"""

import functools
import ipaddress
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from django.conf import settings

from pki.domain import keys, tbs

# The ETSI certificate type of a profile (EN 319 412-2 and 412-3). Other profiles are linted by RFC 5280 only.
_NATURAL, _LEGAL = "NCP_NATURAL_PERSON_CERTIFICATE", "NCP_LEGAL_PERSON_CERTIFICATE"
ETSI_TYPES = {
    "person-hsaid-auth": _NATURAL,
    "person-hsaid-sign": _NATURAL,
    "person-id-auth": _NATURAL,
    "person-id-sign": _NATURAL,
    "mobile-auth": _NATURAL,
    "mobile-sign": _NATURAL,
    "seal": _LEGAL,
    "time-stamp": _LEGAL,
}
# RFC 3161 section 2.3 requires this, although EN 319 412-2 advises against it.
_EXCUSED = {"time-stamp": {"etsi.en_319_412_2.gen-4.3.10-1.eku_extension_is_critical"}}
# In development the host name in certificates has no dot.
_LOCAL_NAME = "pkix.invalid_domain_name_syntax"


def linter_version() -> str:
    """Returns the name and version of the linter."""
    from importlib.metadata import version

    return f"pkilint {version('pkilint')}"


def findings(certificate_der: bytes, profile: str) -> list[str]:
    """Returns the sorted codes of findings at WARNING or worse, without content of the certificate; empty if there is none."""
    from pkilint import loader
    from pkilint.document import SubstrateDecodingFailedError
    from pkilint.validation import ValidationFindingSeverity

    try:
        document = loader.RFC5280CertificateDocumentLoader().load_der_document(certificate_der, "certificate")
    except (SubstrateDecodingFailedError, ValueError):
        return ["pkilint.unreadable"]
    found: set[str] = set()
    for validator, filters in _linters(ETSI_TYPES.get(profile, "") if _is_public() else ""):
        results = validator.validate(document.root)
        if filters:
            from pkilint import finding_filter

            results, _left_out = finding_filter.filter_results(filters, results)
        found |= {
            each.finding.code
            for result in results
            for each in result.finding_descriptions
            if each.finding.severity <= ValidationFindingSeverity.WARNING
        }
    return sorted(found - _EXCUSED.get(profile, set()) - (set() if _is_public() else {_LOCAL_NAME}))


def findings_before_signing(to_be_signed: bytes, issuer_key: PublicKeyTypes, profile: str) -> list[str]:
    """Returns the findings in bytes that a CA with this key will sign."""
    key = _throw_away(keys.kind(issuer_key))
    algorithm = tbs.HASHES[tbs.signature_hash(to_be_signed)]
    if isinstance(key, rsa.RSAPrivateKey):
        signature = key.sign(to_be_signed, padding.PKCS1v15(), algorithm)
    elif isinstance(key, ec.EllipticCurvePrivateKey):
        signature = key.sign(to_be_signed, ec.ECDSA(algorithm))
    else:
        raise TypeError("a CA's key is RSA or EC")
    return findings(tbs.assemble(to_be_signed, signature), profile)


@functools.cache
def _throw_away(kind: str) -> PrivateKeyTypes:
    curves = {"ec-p256": ec.SECP256R1(), "ec-p384": ec.SECP384R1()}
    if kind in curves:
        return ec.generate_private_key(curves[kind])
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def _linters(etsi_type: str) -> list[tuple[Any, list[Any]]]:
    """Returns validators with the filters of their findings: for RFC 5280, and ETSI's for the type."""
    from pkilint import etsi
    from pkilint.etsi.etsi_constants import CertificateType
    from pkilint.pkix import certificate, extension, name

    pkix = certificate.create_pkix_certificate_validator_container(
        certificate.create_decoding_validators(name.ATTRIBUTE_TYPE_MAPPINGS, extension.EXTENSION_MAPPINGS),
        [
            certificate.create_issuer_validator_container([]),
            certificate.create_validity_validator_container(),
            certificate.create_subject_validator_container([]),
            certificate.create_extensions_validator_container([]),
            certificate.create_spki_validator_container([]),
        ],
    )
    if not etsi_type:
        return [(pkix, [])]
    type_ = CertificateType[etsi_type]
    validator = certificate.create_pkix_certificate_validator_container(
        etsi.create_decoding_validators(type_), etsi.create_validators(type_)
    )
    return [(pkix, []), (validator, etsi.create_etsi_finding_filters(type_))]


def _is_public() -> bool:
    """Returns whether status URLs have host names, as ETSI's rules require; in development they have an IP address."""
    host = urlsplit(settings.STATUS_BASE_URL).hostname or ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host
    return False
