"""Delegated OCSP responders (RFC 6960 section 4.2.2.2): one P-256 key per CA, valid 30 days, renewed when 15 are left.

The key is destroyed after its certificate expires. A responder whose certificate is revoked is replaced at once, with another
key, and its OCSP responses are signed again (see `ocsp`).
"""

import datetime as dt
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import count

import structlog
from cryptography.hazmat.primitives.serialization import load_der_public_key
from django.db import transaction
from django.db.models import Q

from pki.authorities import clock_guard, stored_profiles
from pki.authorities.queries import given_a_responder, issuer_of
from pki.domain.names import OIDS
from pki.domain.profiles import PROFILES
from pki.domain.responder_lifetime import LIFETIME, RENEW_BEFORE
from pki.domain.tbs import Content
from pki.hsm import HsmError, hsm_for
from pki.hsm.token_keys import WantedKey, retire
from pki.issuing import planning, signing
from pki.models import (
    ONLINE,
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    CertificateStatus,
    Event,
    HsmKey,
    KeyPurpose,
    OcspSigner,
)
from siths_portal.lib import clock
from siths_portal.lib.database import locks

log = structlog.get_logger(__name__)

PROFILE = "ocsp-signer"
ACTOR = "system:ocsp-responders"


@dataclass(frozen=True)
class _Responder:
    ca: CertificateAuthority
    key: HsmKey


def ensure(ca: CertificateAuthority, *, algorithm: str = "", actor_ref: str = ACTOR) -> OcspSigner | None:
    """Makes a responder unless the CA has one with more than 15 days left; returns the new one. Raises HsmError, NotIssuable.

    Without `algorithm` it uses the last responder's key type. Safe to repeat after a crash, and to run several times at once.
    """
    with _renewal_lock(ca):
        return _ensure(ca, algorithm, actor_ref)


def _renewal_lock(ca: CertificateAuthority) -> AbstractContextManager[None]:
    """Holds the lock under which one process at a time renews and retires a CA's responders."""
    return locks.held(locks.number(f"pki.issuing.responders {ca.id}"))


def _ensure(ca: CertificateAuthority, algorithm: str, actor_ref: str) -> OcspSigner | None:
    now = clock.now()
    signers = OcspSigner.objects.filter(ca=ca, retired_at=None).order_by("-not_after")
    newest = signers.filter(certificate__status=CertificateStatus.ISSUED).first()
    if newest is not None and newest.not_after - now > RENEW_BEFORE:
        return None
    if not algorithm and (last := OcspSigner.objects.filter(ca=ca).order_by("-not_after").first()):
        algorithm = HsmKey.objects.get(key_id=last.key_id).algorithm
    wanted = WantedKey(hsm_for(ca.token_label), KeyPurpose.OCSP, _label(ca, now), algorithm or "ec-p256")
    responder = _Responder(ca, wanted.ensure(actor_ref=actor_ref))
    row = _reserved(responder, now, actor_ref)
    if row.status == CertificateStatus.RESERVED:
        signer = signing.Signer(ca.token_label, ca.key_id, issuer_of(ca).public_key)
        signing.store(row, signing.sign_tbs(bytes(row.tbs_der or b""), signer))
    return _activate(responder, row, actor_ref)


def _label(ca: CertificateAuthority, now: dt.datetime) -> str:
    """Returns the day's key label, the same for each attempt; numbered from 2 after a key of that day is revoked or destroyed."""
    # A key that was moved in keeps its old label, which another CA's key may have too.
    stem = HsmKey.objects.get(key_id=ca.key_id).label.rpartition("/ca/")[0] or f"imported/{ca.slug}-g{ca.generation}"
    day = f"{stem}/ocsp/{now:%Y-%m-%d}"
    keys = dict(HsmKey.objects.filter(label__startswith=day).values_list("label", "key_id"))
    retired = HsmKey.objects.filter(key_id__in=keys.values(), retired_at__isnull=False).values_list("key_id", flat=True)
    refs = [_subject_ref(key_id) for key_id in keys.values()]
    revoked = Certificate.objects.filter(subject_ref__in=refs, status=CertificateStatus.REVOKED)
    spent = {_subject_ref(key_id) for key_id in retired} | set(revoked.values_list("subject_ref", flat=True))
    labels = (day if number == 1 else f"{day}-{number}" for number in count(1))
    return next(label for label in labels if label not in keys or _subject_ref(keys[label]) not in spent)


def _subject_ref(key_id: str) -> str:
    return f"ocsp:{key_id}"


@transaction.atomic(durable=True)
def _reserved(responder: _Responder, now: dt.datetime, actor_ref: str) -> Certificate:
    """Returns the responder's certificate row, new or from an earlier attempt."""
    ca, key = responder.ca, responder.key
    spent = [CertificateStatus.FAILED, CertificateStatus.REVOKED]
    known = Certificate.objects.filter(ca=ca, subject_ref=_subject_ref(key.key_id)).exclude(status__in=spent).first()
    if known is not None:
        return known
    issuer = issuer_of(ca)
    not_before = (now - planning.BACKDATE).replace(microsecond=0)
    content = Content(
        subject=_subject(ca),
        alternative={},
        public_key=load_der_public_key(bytes(key.public_key_der)),
        serial=0,
        not_before=not_before,
        not_after=min(not_before + LIFETIME, issuer.not_after or not_before + LIFETIME),
    )
    row = planning.reserve_row(ca, issuer, PROFILES[PROFILE], content, now)
    row.profile_version = stored_profiles.versions([PROFILE])[PROFILE]
    row.subject_ref = _subject_ref(key.key_id)
    row.save(force_insert=True)
    planning.record_reservation([row], actor_ref, now)
    return row


def _subject(ca: CertificateAuthority) -> dict[str, str]:
    """Returns the CA's name with another CN, at most 64 characters (B1.11)."""
    subject = _issuer_subject(ca)
    return subject | {"commonName": f"{ca.common_name[:59].rstrip()} OCSP"}


def _issuer_subject(ca: CertificateAuthority) -> dict[str, str]:
    by_oid = {oid: name for name, oid in OIDS.items()}
    return {by_oid[each.oid]: str(each.value) for each in issuer_of(ca).name if each.oid in by_oid}


@transaction.atomic(durable=True)
def _activate(responder: _Responder, row: Certificate, actor_ref: str) -> OcspSigner | None:
    """Stores and returns the signer; None if it is in use already. Raises NotIssuable for a revoked certificate."""
    current = Certificate.objects.select_for_update(of=("self",), no_key=True).defer("tbs_der").get(id=row.id)
    if current.status != CertificateStatus.ISSUED:
        raise signing.NotIssuable("the responder's certificate was revoked before it came into use")
    blob = CertificateBlob.objects.get(certificate=row)
    signer, made = OcspSigner.objects.get_or_create(
        certificate=row,
        defaults={
            "ca": responder.ca,
            "token_label": responder.ca.token_label,
            "key_id": responder.key.key_id,
            "certificate_der": bytes(blob.der),
            "not_before": row.not_before,
            "not_after": row.not_after,
        },
    )
    if made:
        Event.record(
            actor_ref=actor_ref,
            action="ocsp_signer.activated",
            subject_type="certificate_authority",
            subject_ref=str(responder.ca.id),
            facts={"ca": responder.ca.slug, "key_id": signer.key_id, "not_after": signer.not_after.isoformat()},
        )
    return signer if made else None


def renew_due() -> int:
    """Renews responders past half their life or revoked, and destroys keys of expired ones; returns the number of renewals.

    Makes the first responder of an imported CA. A CA whose token does not respond does not stop the others.
    """
    renewed = 0
    answering = CertificateAuthority.objects.filter(given_a_responder(), state__in=ONLINE, not_after__gt=clock.now())
    for ca in answering.order_by("id"):
        try:
            with _renewal_lock(ca):
                renewed += ensure(ca) is not None
                _retire_ended(ca)
        except (HsmError, signing.NotIssuable, clock_guard.ClockWentBack) as error:
            log.error("ocsp_signer.renewal_failed", ca=ca.slug, error=type(error).__name__)
    # Certified by a CA in another system: we cannot renew them.
    for ca in (
        CertificateAuthority.objects.filter(state=CaState.EXTERNAL, ocsp_signers__retired_at=None).distinct().order_by("id")
    ):
        try:
            with _renewal_lock(ca):
                _retire_ended(ca)
        except HsmError as error:
            log.error("ocsp_signer.retirement_failed", ca=ca.slug, error=type(error).__name__)
    return renewed


def _retire_ended(ca: CertificateAuthority) -> None:
    ended = Q(not_after__lte=clock.now()) | Q(certificate__status=CertificateStatus.REVOKED)
    for signer in OcspSigner.objects.filter(ended, ca=ca, retired_at=None):
        retire(HsmKey.objects.get(key_id=signer.key_id), hsm_for(signer.token_label), actor_ref=ACTOR)
        OcspSigner.objects.filter(id=signer.id).update(retired_at=clock.now())
