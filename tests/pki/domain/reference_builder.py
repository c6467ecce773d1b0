"""To-be-signed bytes by the library's builder, which `tbs.build` must equal octet for octet."""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID as Access

from pki.domain import alternative_names, der, keys, names, qc_statements, tbs
from pki.domain.profile import CARD_NUMBER, QC_STATEMENTS

HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}


def build(profile, issuer, issuer_key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, content) -> bytes:
    """What the library signs for the same order, its key being that of `issuer`."""
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer.name)
        .subject_name(names.build(profile.subject, content.subject))
        .public_key(content.public_key)
        .serial_number(content.serial)
        .not_valid_before(content.not_before.replace(microsecond=0))
        .not_valid_after(content.not_after.replace(microsecond=0))
    )
    values = extensions(profile, issuer, content)
    for name in profile.extensions:
        if values.get(name) is not None:
            builder = builder.add_extension(values[name], critical=name in profile.critical)
    return builder.sign(issuer_key, HASHES[profile.hash_for(keys.kind(issuer.public_key))]).tbs_certificate_bytes


def extensions(profile, issuer, content) -> dict[str, x509.ExtensionType | None]:
    """Every extension that any profile has, by name."""
    usages = tbs.key_usages(profile, content.public_key)
    purposes, policies = (
        profile.extended_key_usage or ("1.2.3",),
        content.policies or ("1.2.3",),
    )  # taken only where there are any
    number, statements = content.card_number, profile.qc_statements
    return {
        "authorityKeyIdentifier": x509.AuthorityKeyIdentifier(issuer.ski, None, None),
        "subjectKeyIdentifier": x509.SubjectKeyIdentifier.from_public_key(content.public_key),
        "keyUsage": x509.KeyUsage(**{field: name in usages for name, field in tbs.KEY_USAGES.items()}),
        "extendedKeyUsage": x509.ExtendedKeyUsage([x509.ObjectIdentifier(oid) for oid in purposes]),
        "certificatePolicies": x509.CertificatePolicies(
            [x509.PolicyInformation(x509.ObjectIdentifier(oid), None) for oid in policies]
        ),
        "basicConstraints": x509.BasicConstraints(ca=True, path_length=profile.path_length),
        "subjectAltName": alternative_names.build(profile.alternative_names, content.alternative),
        "cRLDistributionPoints": x509.CRLDistributionPoints(
            [x509.DistributionPoint([x509.UniformResourceIdentifier(issuer.crl_url)], None, None, None)]
        ),
        "authorityInfoAccess": x509.AuthorityInformationAccess(
            [
                x509.AccessDescription(Access.OCSP, x509.UniformResourceIdentifier(issuer.ocsp_url)),
                x509.AccessDescription(Access.CA_ISSUERS, x509.UniformResourceIdentifier(issuer.aia_url)),
            ]
        ),
        "cardNumber": _unrecognised(CARD_NUMBER, der.encoded(der.PRINTABLE_STRING, number.encode())) if number else None,
        "ocspNoCheck": x509.OCSPNoCheck(),
        "qcStatements": _unrecognised(QC_STATEMENTS, qc_statements.build(statements)) if statements else None,
    }


def _unrecognised(oid: str, value: bytes) -> x509.UnrecognizedExtension:
    return x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
