"""OCSP responders of a CA whose key is in another system, which certifies keys in our token (rules/pki 1.2, ADR 0218).

We cannot renew such a responder: `pki.health.authority_checks` warns in time that an operator must fetch the next certificate.
"""

import hashlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from django.conf import settings
from django.db import transaction

from pki.domain.imported_certificates import CheckedContent, Checker, NotOurs
from pki.hsm import Algorithm, HsmConfigError, HsmError, HsmKeyMissing, hsm_for
from pki.hsm.token_keys import WantedKey, accept_imported
from pki.models import (
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    Event,
    HsmKey,
    KeyPurpose,
    OcspSigner,
    draw_status_versions,
)
from pki.takeover import foreign_revocations, registering, storing
from pki.takeover.findings import Ledger
from pki.takeover.records import SourceCertificate, der_of
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.certificates.unreadable import UNREADABLE
from siths_portal.lib.errors import Conflict, Invalid, Unavailable
from siths_portal.lib.imports.row_faults import RowFault

_SMALLEST_RSA = 2048


def request(ca: CertificateAuthority, *, actor_ref: str) -> bytes:
    """Returns a PKCS #10 request in PEM for the CA's next responder, over a P-256 key that is made in the token and stays there.

    Uses the same key until it is in use, so that a second call makes no other. Raises Conflict for a CA whose key is here, and
    Unavailable.
    """
    _is_elsewhere(ca)
    stem = f"elsewhere/{ca.slug}-g{ca.generation}/ocsp/"
    # A key is not used for a second certificate, so the next label counts the keys that are in use.
    spent = OcspSigner.objects.filter(key_id__in=HsmKey.objects.filter(label__startswith=stem).values("key_id")).count()
    wanted = WantedKey(hsm_for(settings.PKCS11_TOKEN), KeyPurpose.OCSP, f"{stem}{spent + 1}", Algorithm.EC_P256)
    issuer = x509.load_der_x509_certificate(bytes(ca.certificate_der)).subject
    names = [each for each in issuer if each.oid != NameOID.COMMON_NAME]
    names.append(x509.NameAttribute(NameOID.COMMON_NAME, f"{ca.common_name[:59].rstrip()} OCSP"))
    try:
        key = wanted.token.private_key(wanted.ensure(actor_ref=actor_ref).key_id)
        made = x509.CertificateSigningRequestBuilder(x509.Name(names)).sign(key, hashes.SHA256())
    except HsmError:
        raise Unavailable("hsm-unavailable", "Säkerhetsmodulen svarar inte. Försök igen.") from None
    return made.public_bytes(Encoding.PEM)


def accept(ca: CertificateAuthority, content: bytes, *, token_label: str = "", key_id: str = "", actor_ref: str) -> OcspSigner:
    """Registers the certificate, in DER or PEM, as an OCSP responder of the CA. Returns the same row if it is registered already.

    The CA must have issued the certificate for OCSP only, with `nocheck` (B1.23), and it must be valid now. Its private key must
    be in the token, checked by its public half and by a challenge: the key of a request, or one that was moved in
    (`token_label`, `key_id`). It needs no second person's approval, since the CA has signed it. Raises Invalid, Conflict,
    Unavailable, with nothing changed but the key's row.
    """
    _is_elsewhere(ca)
    try:
        der = der_of(content)
        seen = Checker(registering.expected_of(ca)).check(der)
    except (RowFault, NotOurs):
        raise Invalid("ocsp-signer-issuer", "Certifikatet går inte att läsa eller är inte utfärdat av utfärdaren.") from None
    certificate = x509.load_der_x509_certificate(der)
    _fits(certificate)
    known = OcspSigner.objects.filter(ca=ca, certificate__serial=seen.serial, retired_at=None).first()
    if known is not None and bytes(known.certificate_der) == der:
        return known
    key = _bound(der, certificate, token_label, key_id, actor_ref)
    if OcspSigner.objects.filter(key_id=key.key_id).exists():
        raise Conflict("ocsp-signer-key-used", "Nyckeln har redan svarat med ett annat certifikat. Gör en ny med --request.")
    return _enter(ca, der, seen, key, actor_ref)


def _is_elsewhere(ca: CertificateAuthority) -> None:
    if ca.state != CaState.EXTERNAL:
        raise Conflict("ca-not-external", "Utfärdarens nyckel är här: svarstjänstens certifikat görs och förnyas av pki-worker.")


def _fits(certificate: x509.Certificate) -> None:
    """Checks that it is a responder's certificate (RFC 6960 section 4.2.2.2) with a supported key. Raises Invalid."""
    key, now = certificate.public_key(), clock.now()
    if not _is_for_answers(certificate):
        reason = "Certifikatet ska ha keyUsage digitalSignature, extendedKeyUsage enbart OCSPSigning, och id-pkix-ocsp-nocheck."
        raise Invalid("ocsp-signer-use", reason)
    if not (isinstance(key, ec.EllipticCurvePublicKey) or (isinstance(key, rsa.RSAPublicKey) and key.key_size >= _SMALLEST_RSA)):
        raise Invalid("ocsp-signer-key", "Certifikatets nyckel ska vara på en elliptisk kurva, eller RSA med minst 2048 bitar.")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        raise Invalid("ocsp-signer-times", "Certifikatet gäller inte nu.")


def _is_for_answers(certificate: x509.Certificate) -> bool:
    try:
        found = certificate.extensions
        usages = list(found.get_extension_for_class(x509.ExtendedKeyUsage).value)
        signs = found.get_extension_for_class(x509.KeyUsage).value.digital_signature
        found.get_extension_for_class(x509.OCSPNoCheck)
    except (*UNREADABLE, x509.ExtensionNotFound):
        return False
    return signs and usages == [ExtendedKeyUsageOID.OCSP_SIGNING]


def _bound(der: bytes, certificate: x509.Certificate, token_label: str, key_id: str, actor_ref: str) -> HsmKey:
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    made = HsmKey.objects.filter(purpose=KeyPurpose.OCSP, retired_at=None)
    known = next((row for row in made.order_by("-created_at") if bytes(row.public_key_der) == spki), None)
    try:
        if known is not None:
            token = hsm_for(known.token_label)
            ref = token.find(known.key_id, ours=False)
            if ref.public_key_der != spki:
                raise HsmConfigError("another key")
            token.prove(ref)
            return known
        if not key_id:
            raise HsmKeyMissing("no row")
        return accept_imported(
            hsm_for(token_label),
            key_id=key_id,
            certificate_der=der,
            ceremony_sha256=hashlib.sha256(der).hexdigest(),
            actor_ref=actor_ref,
            purpose=KeyPurpose.OCSP,
        )
    except HsmKeyMissing:
        reason = "Certifikatets nyckel finns inte i modulen. Begär ett certifikat med --request, eller ange --token och --key-id."
        raise Conflict("ocsp-signer-key-missing", reason) from None
    except HsmConfigError:
        reason = "Nyckeln i modulen är inte certifikatets, eller är inte som den ska vara."
        raise Conflict("ocsp-signer-key-other", reason) from None
    except HsmError:
        raise Unavailable("hsm-unavailable", "Säkerhetsmodulen svarar inte. Försök igen.") from None


def _enter(ca: CertificateAuthority, der: bytes, seen: CheckedContent, key: HsmKey, actor_ref: str) -> OcspSigner:
    """Stores the certificate and the responder in one transaction."""
    ledger = Ledger()
    with foreign_revocations.import_lock(), transaction.atomic(durable=True):
        record = SourceCertificate("ocsp-signer", der=der, subject_ref=f"ocsp:{key.key_id}", status_known=False)
        taken = storing.take(record, seen, ca, clock.now(), revoke_held=True)
        storing.store([taken], ca, ledger, lambda count: draw_status_versions(ca.id, count), lock=True)
        row = Certificate.objects.get(ca=ca, serial=seen.serial)
        if ledger.found or row.status != CertificateStatus.ISSUED:
            raise Conflict("ocsp-signer-revoked", "Certifikatet är spärrat, eller serienumret har här ett annat certifikat.")
        signer = OcspSigner.objects.create(
            ca=ca,
            certificate=row,
            token_label=key.token_label,
            key_id=key.key_id,
            certificate_der=der,
            not_before=seen.not_before,
            not_after=seen.not_after,
        )
        Event.record(
            actor_ref=actor_ref,
            action="ocsp_signer.activated",
            subject_type="certificate_authority",
            subject_ref=str(ca.id),
            facts={
                "ca": ca.slug,
                "key_id": signer.key_id,
                "not_after": signer.not_after.isoformat(),
                "certified": "elsewhere",
                "certificate_sha256": sha256_hex(der),
            },
        )
    return signer
