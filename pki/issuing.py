"""Signing what was planned, with no transaction open while the token works, and settling what a crash left (spec F3, F4).

A reserved row holds the exact bytes. Each attempt signs those same bytes again; PKCS #1 v1.5 is deterministic, so a repeated
attempt makes the same certificate. A row that may have been signed and that nobody has been able to try for an hour is revoked.
An attempt in which the token provably did not sign does not count.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from pki import lint, ocsp
from pki.authorities import issuer_of
from pki.domain import keys, tbs
from pki.domain.profiles import Profile
from pki.domain.tbs import Issuer
from pki.hsm import HsmError, HsmUnavailable, Scheme, hsm_for
from pki.models import CaState, Certificate, CertificateBlob, CertificateStatus, Event, draw_status_versions
from pki.revoking import plan_revocation
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import sha256_hex

log = structlog.get_logger(__name__)

# While one worker signs, others leave the row alone for this long.
CLAIM = dt.timedelta(seconds=settings.PKI_SIGNING_CLAIM_SECONDS)
POSSIBLY_SIGNED_AFTER = dt.timedelta(hours=1)
# After as many attempts that count a row is left alone, to be revoked in time.
MAX_ATTEMPTS = 30
BATCH = 50
ACTOR = "system:pki-signer"


class NotIssuable(RuntimeError):
    """The stored bytes, or what the token made of them, are not what they must be; nothing was stored."""


@dataclass(frozen=True)
class Signer:
    """A CA's key: the token's label, CKA_ID, and the public key that every signature is verified with."""

    token_label: str
    key_id: str
    public_key: PublicKeyTypes


def sign_tbs(to_be_signed: bytes, signer: Signer) -> bytes:
    """DER of the certificate, signed in the token, verified with the CA's key and read back. Raises HsmError, NotIssuable."""
    hash_name = tbs.signature_hash(to_be_signed)
    family = "rsa" if keys.kind(signer.public_key) == "rsa" else "ecdsa"
    signature = hsm_for(signer.token_label).sign(signer.key_id, to_be_signed, Scheme(f"{family}-{hash_name}"))
    der = tbs.assemble(to_be_signed, signature)
    certificate = x509.load_der_x509_certificate(der)
    if certificate.tbs_certificate_bytes != to_be_signed:
        raise NotIssuable("the certificate does not hold the bytes that were planned")
    try:
        tbs.verify(certificate, signer.public_key)
    except InvalidSignature:
        raise NotIssuable("the token's signature does not verify") from None
    return der


def sign_reserved(certificate_ids: Iterable[UUID] | None = None, *, limit: int = BATCH) -> int:
    """Signs reserved certificates, those named or the oldest, and pre-signs their OCSP answers; returns how many were issued.

    May run in several workers at once and be repeated. What fails stays reserved for the next attempt.
    """
    issued: list[UUID] = []
    claimed, moment = _claim(None if certificate_ids is None else list(certificate_ids), limit)
    for row in claimed:
        try:
            if _settle(row):
                issued.append(row.id)
        except HsmError as error:
            log.error(
                "certificate.signing_postponed",
                certificate=str(row.id),
                ca=row.ca.slug,
                error=type(error).__name__,
                began=error.began,
            )
            if not error.began:
                _take_back(row, moment, free=isinstance(error, HsmUnavailable))
        except NotIssuable as error:
            log.error("certificate.signing_failed", certificate=str(row.id), ca=row.ca.slug, error=type(error).__name__)
    if issued:
        _presign(issued)
    return len(issued)


def settle() -> int:
    """The sweeper: signs everything reserved that nobody signs, gives up what is too old, and returns how many it settled."""
    settled = 0
    while True:
        claimed = _claimable(None).count()
        issued = sign_reserved()
        settled += issued
        if issued == 0 or claimed <= issued:
            break
    return settled + revoke_possibly_signed()


def revoke_possibly_signed() -> int:
    """Revokes what is still reserved an hour after the last attempt that may have signed it; returns how many.

    A signature may exist, so the serial must show as revoked in CRL and OCSP (spec F3).
    """
    overdue = _reserved().filter(signing_started_at__lt=clock.now() - POSSIBLY_SIGNED_AFTER, signing_attempts__gt=0)
    with transaction.atomic(durable=True):
        ids = list(overdue.select_for_update(skip_locked=True).order_by("id").values_list("id", flat=True)[:500])
        if ids:
            log.error("certificate.possibly_signed", count=len(ids))
            plan_revocation(
                ids,
                reason="unspecified",
                actor_ref="system:possibly-signed",
                received_at=clock.now(),
                channel="system",
                justification="Not issued, and untouched for an hour since it was tried: a signature may exist.",
            )
    return len(ids)


def _reserved() -> QuerySet[Certificate]:
    """Reserved rows but those of a ceremony, which signs its own with a key that is offline in between."""
    return Certificate.objects.filter(status=CertificateStatus.RESERVED).exclude(ca__state__in=[CaState.PLANNED, CaState.OFFLINE])


def _claimable(certificate_ids: list[UUID] | None) -> QuerySet[Certificate]:
    free = Q(signing_started_at=None) | Q(signing_started_at__lt=clock.now() - CLAIM)
    rows = _reserved().filter(free, tbs_der__isnull=False, signing_attempts__lt=MAX_ATTEMPTS)
    return rows if certificate_ids is None else rows.filter(id__in=certificate_ids)


def _claim(certificate_ids: list[UUID] | None, limit: int) -> tuple[list[Certificate], dt.datetime]:
    """Marks rows as being signed and commits, so that a crash from here on leaves its trace; the rows as they were, and when."""
    with transaction.atomic(durable=True):
        rows = _claimable(certificate_ids).select_for_update(of=("self",), skip_locked=True, no_key=True)
        found = list(rows.select_related("ca", "profile_version").order_by("created_at", "id")[:limit])
        moment = clock.now()
        Certificate.objects.filter(id__in=[row.id for row in found]).update(
            signing_started_at=moment, signing_attempts=F("signing_attempts") + 1
        )
    return found, moment


def _take_back(row: Certificate, moment: dt.datetime, *, free: bool) -> None:
    """Undoes the count of an attempt in which nothing was signed; `free` gives up the claim of `moment` too.

    Without that the claim runs out by itself, so that a CA whose key is missing does not come before all others at once.
    """
    ours = Certificate.objects.filter(id=row.id, status=CertificateStatus.RESERVED)
    with transaction.atomic(durable=True):
        ours.update(signing_attempts=F("signing_attempts") - 1)
        if free:
            ours.filter(signing_started_at=moment).update(signing_started_at=row.signing_started_at)


def _settle(row: Certificate) -> bool:
    """Signs and stores one claimed row. False if it was revoked or issued meanwhile, or failed its check and was never signed."""
    to_be_signed = bytes(row.tbs_der or b"")
    broken = _lint(row, to_be_signed)
    if broken:
        _fail(row, broken)
        return False
    faults.point("pki.sign.before-signature")
    issuer = issuer_of(row.ca)
    der = sign_tbs(to_be_signed, Signer(row.ca.token_label, row.ca.key_id, issuer.public_key))
    faults.point("pki.sign.after-signature")
    stored = store(row, der)
    faults.point("pki.sign.after-commit")
    return stored


def store(row: Certificate, der: bytes) -> bool:
    """Makes the reserved row issued with this certificate, in one transaction; False if it is reserved no longer.

    A revocation that was decided in the meantime wins: the certificate is never good.
    """
    with transaction.atomic(durable=True):
        current = Certificate.objects.select_for_update(of=("self",)).defer("tbs_der").get(id=row.id)
        if current.status != CertificateStatus.RESERVED:
            log.info("certificate.overtaken", certificate=str(row.id), status=current.status)
            return False
        CertificateBlob.objects.create(certificate=current, der=der)
        current.status = CertificateStatus.ISSUED
        current.issued_at = clock.now()
        current.status_version = draw_status_versions(current.ca_id)
        current.save(update_fields=["status", "issued_at", "status_version"])
        Event.record(
            actor_ref=ACTOR,
            action="certificate.issued",
            subject_type="certificate",
            subject_ref=str(row.id),
            facts={"ca": row.ca.slug, "serial": row.serial, "sha256": sha256_hex(der), "tbs_sha256": row.tbs_sha256},
        )
    return True


def _lint(row: Certificate, to_be_signed: bytes) -> list[str]:
    if sha256_hex(to_be_signed) != row.tbs_sha256:
        return ["the stored bytes are not those that were planned"]
    if row.profile_version is None:
        return ["no profile"]
    profile = Profile.from_definition(row.profile_version.definition)
    issuer = issuer_of(row.ca)
    return lint.faults(to_be_signed, profile, issuer, _policies(profile, issuer, to_be_signed))


def _policies(profile: Profile, issuer: Issuer, to_be_signed: bytes) -> tuple[str, ...]:
    return tuple(profile.policies(issuer.slug, tbs.subject(to_be_signed), settings.PKI_POLICY_ARC))


def _fail(row: Certificate, broken: list[str]) -> None:
    """Gives a row up that was never signed; one that an earlier attempt may have signed stays, to be revoked in time."""
    log.error("certificate.lint_failed", certificate=str(row.id), faults=broken)
    if row.signing_attempts:
        return
    with transaction.atomic(durable=True):
        current = Certificate.objects.select_for_update(of=("self",)).defer("tbs_der").get(id=row.id)
        if current.status != CertificateStatus.RESERVED or current.signing_attempts != 1:
            return
        current.status, current.failure = CertificateStatus.FAILED, broken[0][:80]
        current.save(update_fields=["status", "failure"])
        Event.record(
            actor_ref=ACTOR,
            action="certificate.failed",
            subject_type="certificate",
            subject_ref=str(row.id),
            facts={"faults": broken},
        )


def _presign(issued: list[UUID]) -> None:
    try:
        ocsp.presign(issued)
    except (HsmError, ocsp.SelfCheckFailed) as error:
        # The sweeper of answers finds them.
        log.error("certificate.presign_postponed", count=len(issued), error=type(error).__name__)
