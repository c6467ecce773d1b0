"""Registers a CA from another system: its certificate unchanged, its chain, and its key if that is in our token."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import transaction

from pki.ceremonies.steps import describe
from pki.domain import names, serials
from pki.domain.imported_certificates import Checker, ExpectedIssuer, NotOurs
from pki.domain.profiles import PROFILES
from pki.hsm import HsmConfigError, HsmError, HsmKeyMissing, hsm_for
from pki.hsm.token_keys import accept_imported
from pki.issuing import responders
from pki.models import (
    CaImport,
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    CertificateStatus,
    HsmKey,
    KeyPurpose,
)
from pki.takeover.manifest import Manifest
from siths_portal.lib import clock
from siths_portal.lib.certificates.unreadable import UNREADABLE
from siths_portal.lib.errors import Conflict, Invalid, Unavailable

OPEN = (CaState.PLANNED, CaState.STATUS_ONLY, CaState.EXTERNAL)
"""States in which a CA accepts imports from another installation. `planned`: its first import is not finished."""


def known(manifest: Manifest) -> CertificateAuthority | None:
    """Returns the CA if it is registered. Raises Conflict for another certificate, and for a CA that accepts no imports."""
    ca = CertificateAuthority.objects.filter(slug=manifest.slug, generation=manifest.generation).first()
    if ca is None:
        return None
    if bytes(ca.certificate_der) != manifest.certificate:
        raise Conflict("ca-other-certificate", "Utfärdaren finns här med ett annat certifikat.")
    if ca.state not in OPEN or (ca.state == CaState.PLANNED and not CaImport.objects.filter(ca=ca).exists()):
        raise Conflict("ca-not-status-only", "Utfärdaren tar inte emot certifikat som är utfärdade på annat håll.")
    return ca


def check(manifest: Manifest) -> CertificateAuthority:
    """Checks that it is a CA certificate and that the parent signed it; returns an unsaved row. Raises Invalid, Conflict."""
    certificate = _ca_certificate(manifest)
    if manifest.key_id and manifest.slug not in PROFILES[responders.PROFILE].issuers:
        names_ = ", ".join(sorted(PROFILES[responders.PROFILE].issuers))
        raise Invalid("ca-slug", f"En utfärdare vars nyckel är här ska heta som i profilerna: {names_}.")
    parent = CertificateAuthority.objects.current(manifest.parent) if manifest.parent and _exists(manifest.parent) else None
    if manifest.parent and parent is None:
        reason = f"Utfärdaren {manifest.parent} finns inte. Importera den först, utan key_id om nyckeln inte är här."
        raise Invalid("ca-parent", reason)
    row = CertificateAuthority(
        slug=manifest.slug,
        generation=manifest.generation,
        common_name=common_name(certificate),
        state=CaState.PLANNED,
        parent=parent,
        definition_sha256=manifest.sha256,
        file_stem=names.file_stem(common_name(certificate)),
        token_label=manifest.token,
        key_id=manifest.key_id,
        crl_period=manifest.crl_period,
        crl_validity=manifest.crl_validity,
        crl_shards=manifest.crl_shards,
        serial_mode=manifest.serials,
        created_at=clock.now(),
    )
    describe(row, manifest.certificate)
    try:
        Checker(expected_of(parent or row)).check(manifest.certificate)
    except NotOurs:
        raise Invalid("ca-chain", "Utfärdarens certifikat är inte signerat av den som anges som dess utfärdare.") from None
    if CertificateAuthority.objects.filter(file_stem=row.file_stem).exists():
        raise Conflict("ca-file-stem", f"En annan utfärdare publicerar redan {row.file_stem}.crl.")
    return row


def _exists(slug: str) -> bool:
    return CertificateAuthority.objects.filter(slug=slug).exclude(state=CaState.PLANNED).exists()


def _ca_certificate(manifest: Manifest) -> x509.Certificate:
    try:
        certificate = x509.load_der_x509_certificate(manifest.certificate)
        is_ca = certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
    except (*UNREADABLE, x509.ExtensionNotFound):
        is_ca = False
    if not is_ca:
        raise Invalid("ca-certificate", "Filen är inte ett utfärdarcertifikat med nyckelidentifierare.")
    return certificate


def common_name(certificate: x509.Certificate) -> str:
    """Returns the common name of the subject."""
    found = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    if len(found) != 1 or len(str(found[0].value)) > 64:
        raise Invalid("ca-certificate", "Utfärdarens namn ska ha ett CN på högst 64 tecken.")
    return str(found[0].value)


def expected_of(ca: CertificateAuthority) -> ExpectedIssuer:
    """Returns the issuer fields of the CA's certificates, with the exact bytes of the CA's own subject (B1.2)."""
    certificate = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    return ExpectedIssuer(bytes(ca.subject_der), _spki(certificate.public_key()), bytes.fromhex(ca.ski))


def _spki(public_key: PublicKeyTypes) -> bytes:
    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def bind_key(manifest: Manifest, *, document_sha256: str, actor_ref: str, record: bool) -> None:
    """Checks that the key in the token is the CA's, by its public half and by a challenge, and records it once.

    Raises Conflict if the key is missing or another one, and Unavailable if the token does not respond. Does nothing if the
    manifest names no key.
    """
    if not manifest.key_id:
        return
    public_key = x509.load_der_x509_certificate(manifest.certificate).public_key()
    try:
        token = hsm_for(manifest.token)
        row = HsmKey.objects.filter(key_id=manifest.key_id, retired_at=None).first()
        if record and row is None:
            accept_imported(
                token,
                key_id=manifest.key_id,
                certificate_der=manifest.certificate,
                ceremony_sha256=document_sha256,
                actor_ref=actor_ref,
            )
            return
        ref = token.find(manifest.key_id, ours=False)
        if ref.public_key_der != _spki(public_key) or (row is not None and row.purpose != KeyPurpose.CA):
            raise HsmConfigError("another key")
        token.prove(ref)
    except HsmKeyMissing:
        raise Conflict("ca-key-missing", "Nyckeln finns inte i modulen.") from None
    except HsmConfigError:
        raise Conflict("ca-key-other", "Nyckeln i modulen är inte utfärdarens, eller är inte som den ska vara.") from None
    except HsmError:
        raise Unavailable("hsm-unavailable", "Säkerhetsmodulen svarar inte. Försök igen.") from None


@transaction.atomic
def enter(ca: CertificateAuthority) -> CertificateAuthority:
    """Saves the CA, and its certificate as one of its parent's unless it is there, in the caller's transaction."""
    ca.save(force_insert=True)
    certificate = x509.load_der_x509_certificate(bytes(ca.certificate_der))
    issuer, serial = ca.parent or ca, serials.text(certificate.serial_number)
    if not Certificate.objects.filter(ca=issuer, serial=serial).exists():
        seen = Checker(expected_of(issuer)).check(bytes(ca.certificate_der))
        row = Certificate.objects.create(
            ca=issuer,
            serial=serial,
            status=CertificateStatus.ISSUED,
            tbs_sha256=seen.tbs_sha256,
            spki_sha256=seen.spki_sha256,
            subject_ref=f"ca:{ca.slug}:{ca.generation}",
            not_before=seen.not_before,
            not_after=seen.not_after,
            created_at=ca.created_at,
            issued_at=seen.not_before,
        )
        CertificateBlob.objects.create(certificate=row, der=bytes(ca.certificate_der))
    return ca
