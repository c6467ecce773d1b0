"""Signs planned certificates, with no transaction open while the token works; settles rows after a crash (rules/pki 3.1, 3.2).

A reserved row has the exact bytes. Each attempt signs those same bytes again; PKCS #1 v1.5 is deterministic, so a repeated
attempt makes the same certificate. A row that may have been signed is revoked if no attempt was possible for an hour. An attempt
in which the token provably did not sign does not count.
"""

import datetime as dt
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from django.db import DatabaseError, connection, transaction
from django.db.models import QuerySet

from pki.authorities import clock_guard, journal
from pki.domain import keys, tbs
from pki.hsm import HsmError, HsmUnavailable, Scheme, Signatures, hsm_for
from pki.issuing import card_checks
from pki.issuing.claiming import CLAIM, Claimed, claim, reserved, take_back
from pki.issuing.frames import Frames
from pki.models import (
    CaState,
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    CertificateStatus,
    Event,
    draw_status_versions,
)
from pki.ocsp import presigning
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.database import bulk

log = structlog.get_logger(__name__)

# After this time a batch starts no further signature.
MAX_SIGNING = CLAIM / 2
POSSIBLY_SIGNED_AFTER = dt.timedelta(hours=1)
BATCH = 200
# Signatures in one call into the token; the clock is checked before each call.
AT_ONCE = 20
# The batches that one task signs before other tasks on the queue have their turn.
BATCHES_OF_A_TASK = 10
ACTOR = "system:pki-signer"

type Row = Certificate | Claimed


class NotIssuable(RuntimeError):
    """The stored bytes or the token's signature are wrong; nothing was stored."""


@dataclass(frozen=True)
class Signer:
    """A CA's key: the token's label, CKA_ID, and the public key that every signature is verified with."""

    token_label: str
    key_id: str
    public_key: PublicKeyTypes


@dataclass(frozen=True)
class SignedCertificate:
    """A reserved row and the certificate that the token has signed for it."""

    row: Row
    der: bytes = field(repr=False)


def sign_tbs(to_be_signed: bytes, signer: Signer) -> bytes:
    """Signs in the token and returns the DER of the certificate, verified with the CA's key and parsed.

    Raises ClockWentBack with nothing signed, HsmError, NotIssuable.
    """
    clock_guard.check()
    signature = hsm_for(signer.token_label).sign(signer.key_id, to_be_signed, _scheme(to_be_signed, signer))
    return _certificate(to_be_signed, signature, signer)


def sign_many(to_be_signed: Sequence[bytes], signer: Signer, *, until: float) -> Signatures:
    """Signs bytes with the same algorithm in one call; starts no signature after `until` (`time.monotonic`).

    Raises ClockWentBack with nothing signed.
    """
    clock_guard.check()
    scheme = _scheme(to_be_signed[0], signer)
    return hsm_for(signer.token_label).sign_all(signer.key_id, to_be_signed, scheme, until=until)


def _scheme(to_be_signed: bytes, signer: Signer) -> Scheme:
    family = "rsa" if keys.kind(signer.public_key) == "rsa" else "ecdsa"
    return Scheme(f"{family}-{tbs.signature_hash(to_be_signed)}")


def _certificate(to_be_signed: bytes, signature: bytes, signer: Signer) -> bytes:
    """Returns the DER of the certificate, verified with the CA's key and parsed. Raises NotIssuable."""
    der = tbs.assemble(to_be_signed, signature)
    certificate = x509.load_der_x509_certificate(der)
    if certificate.tbs_certificate_bytes != to_be_signed:
        raise NotIssuable("the certificate does not hold the bytes that were planned")
    try:
        tbs.verify_signature(to_be_signed, certificate.signature, signer.public_key)
    except InvalidSignature:
        raise NotIssuable("the token's signature does not verify") from None
    return der


def sign_reserved(certificate_ids: Iterable[UUID] | None = None, *, limit: int = BATCH, answers: bool = True) -> int:
    """Signs reserved certificates, those given or the oldest, and returns the number of issued ones.

    Pre-signs their OCSP responses too, unless `answers` is False, which leaves them to their sweeper. May run in several workers
    at once and be repeated. A certificate that fails stays reserved for the next attempt, and does not stop the others.

    Raises OSError, with nothing stored, if the journal cannot be written.
    """
    claimed, moment = claim(None if certificate_ids is None else list(certificate_ids), limit)
    signed = _sign_batch(claimed, moment) if claimed else []
    _journal(signed)
    issued = store_signed(signed)
    if issued and answers:
        _presign(issued)
    return len(issued)


def sign_waiting(*, batches: int = BATCHES_OF_A_TASK) -> int:
    """Signs unclaimed reserved certificates, the oldest first, at most `batches` batches; returns the number of issued ones."""
    signed = 0
    for _ in range(batches):
        issued = sign_reserved()
        if issued == 0:
            break
        signed += issued
    return signed


def settle() -> int:
    """The sweeper: signs unclaimed reserved certificates, revokes those that are too old, and returns the number of both."""
    return sign_waiting() + revoke_possibly_signed()


def revoke_possibly_signed() -> int:
    """Revokes rows still reserved an hour after the last attempt that may have signed them, or whose CA is compromised.

    A signature may exist, so the serial must show as revoked in CRL and OCSP (rules/pki 3.2). Returns the number of rows.
    """
    overdue = reserved().filter(signing_started_at__lt=clock.now() - POSSIBLY_SIGNED_AFTER, signing_attempts__gt=0)
    tried = _give_up(overdue, "Not issued, and untouched for an hour since it was tried: a signature may exist.")
    return tried + _give_up(reserved().filter(ca__state=CaState.COMPROMISED), "Not issued: its CA is compromised.")


def _give_up(rows: QuerySet[Certificate], justification: str) -> int:
    with transaction.atomic(durable=True):
        locked = rows.select_for_update(of=("self",), skip_locked=True)
        ids = list(locked.order_by("id").values_list("id", flat=True)[:500])
        if ids:
            log.error("certificate.given_up", count=len(ids))
            plan_revocation(
                ids,
                reason="unspecified",
                actor_ref="system:possibly-signed",
                received_at=clock.now(),
                channel="system",
                justification=justification,
            )
    return len(ids)


def _sign_batch(claimed: list[Claimed], moment: dt.datetime) -> list[SignedCertificate]:
    """Signs claimed rows, those of one CA and algorithm together.

    Leaves out rows that fail and rows whose claim leaves too little time.
    """
    # The claims must not expire while this worker signs: another one would sign the same rows.
    until = time.monotonic() + MAX_SIGNING.total_seconds()
    signed: list[SignedCertificate] = []
    freed: list[Claimed] = []
    held: list[Claimed] = []
    frames = Frames()
    for rows in _by_key(_may_be_signed(claimed, frames)):
        left, signer = rows, _signer_of(rows[0].ca, frames)
        while left:
            part = left[:AT_ONCE]
            try:
                signatures = _sign_part(part, signer, until)
            except clock_guard.ClockWentBack:
                break
            signed += _certificates(part, signatures, signer)
            left = left[len(signatures.made) :]
            if signatures.error is not None:
                failed, left = left[0], left[1:]
                _postpone(failed, signatures.error, freed, held)
            elif len(signatures.made) < len(part):
                break
        freed += left
    take_back(freed, moment, free=True)
    take_back(held, moment, free=False)
    return signed


def _signer_of(ca: CertificateAuthority, frames: Frames) -> Signer:
    return Signer(ca.token_label, ca.key_id, frames.issuer(ca).public_key)


def _by_key(rows: list[Claimed]) -> Iterable[list[Claimed]]:
    """Yields the rows of each CA and algorithm, in their order."""
    found: dict[tuple[int, str], list[Claimed]] = {}
    for row in rows:
        found.setdefault((row.ca.id, tbs.signature_hash(row.tbs_der)), []).append(row)
    return found.values()


def _sign_part(part: list[Claimed], signer: Signer, until: float) -> Signatures:
    faults.point("pki.sign.before-signature")
    signatures = sign_many([row.tbs_der for row in part], signer, until=until)
    faults.point("pki.sign.after-signature")
    return signatures


def _certificates(part: list[Claimed], signatures: Signatures, signer: Signer) -> Iterator[SignedCertificate]:
    """Yields the certificates of the signed rows, without those that do not verify."""
    for row, signature in zip(part, signatures.made, strict=False):
        try:
            yield SignedCertificate(row, _certificate(row.tbs_der, signature, signer))
        except NotIssuable as error:
            _log_failure("certificate.signing_failed", row, error)


def _postpone(row: Claimed, error: HsmError, freed: list[Claimed], held: list[Claimed]) -> None:
    """Decides for a row that the token did not sign whether its attempt counts and whether its claim is released."""
    _log_failure("certificate.signing_postponed", row, error, began=error.began)
    if not error.began:
        (freed if isinstance(error, HsmUnavailable) else held).append(row)


def _log_failure(event: str, row: Row, error: Exception, **facts: bool) -> None:
    log.error(event, certificate=str(row.id), ca=row.ca.slug, error=type(error).__name__, **facts)


def _may_be_signed(claimed: list[Claimed], frames: Frames) -> list[Claimed]:
    """Returns the claimed rows that pass our own check and, on cards, match their orders. Marks the others as failed."""
    faultless = []
    for row in claimed:
        if broken := frames.faults(row, row.tbs_der):
            _fail(row, broken)
        else:
            faultless.append(row)
    refused = card_checks.refusals(faultless, frames.profile)
    for row in faultless:
        if row.id in refused:
            _fail(row, [f"not ordered: {refused[row.id]}"])
    return [row for row in faultless if row.id not in refused]


def store(row: Certificate, der: bytes) -> bool:
    """Makes the reserved row issued with this certificate, in one transaction. Returns False if it is no longer reserved.

    A revocation in the meantime wins: the certificate is never good. Raises OSError if the journal cannot be written.
    """
    signed = [SignedCertificate(row, der)]
    _journal(signed)
    return bool(_store(signed))


def _journal(signed: list[SignedCertificate]) -> None:
    """Writes signed certificates to the journal, before the database has them as issued and anybody gets them. Raises OSError."""
    journal.issued((each.row, each.der) for each in signed)
    faults.point("pki.sign.after-journal")


def store_signed(signed: list[SignedCertificate]) -> list[UUID]:
    """Stores signed certificates that the journal has, and returns the ids of those that are issued now.

    If the database refuses the batch, it tries each half by itself, so that one row that cannot be stored stops no other. Such a
    row stays reserved: its signature exists, so a later attempt issues it or the sweeper revokes it.
    """
    if not signed:
        return []
    try:
        issued = _store(signed)
    except DatabaseError as error:
        if not connection.is_usable():
            raise
        if len(signed) == 1:
            _log_failure("certificate.storing_failed", signed[0].row, error)
            return []
        half = len(signed) // 2
        return store_signed(signed[:half]) + store_signed(signed[half:])
    faults.point("pki.sign.after-commit")
    return issued


def _store(signed: list[SignedCertificate]) -> list[UUID]:
    """Makes reserved rows issued, in one transaction, without rows that are no longer reserved."""
    with transaction.atomic(durable=True):
        states = _lock([each.row.id for each in signed])
        current = [each for each in signed if states.get(each.row.id) == CertificateStatus.RESERVED]
        if len(current) < len(signed):
            overtaken = [str(each.row.id) for each in signed if states.get(each.row.id) != CertificateStatus.RESERVED]
            log.info("certificate.overtaken", certificates=overtaken)
        now = clock.now()
        bulk.insert_values(CertificateBlob, ("certificate_id", "der"), ((each.row.id, each.der) for each in current))
        subjects = ((str(each.row.id), _issued_facts(each)) for each in current)
        Event.record_each(subjects, at=now, actor_ref=ACTOR, action="certificate.issued", subject_type="certificate")
        _mark_issued(current, now)
        faults.point("pki.sign.before-commit")
    return [each.row.id for each in current]


def _lock(ids: list[UUID]) -> dict[UUID, str]:
    """Locks the rows, always in the same order, and returns their status."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, status FROM pki_certificate WHERE id = ANY(%s::uuid[]) ORDER BY id FOR NO KEY UPDATE", [ids])
        return dict(cursor.fetchall())


def _issued_facts(signed: SignedCertificate) -> dict[str, str]:
    row = signed.row
    return {"ca": row.ca.slug, "serial": row.serial, "sha256": sha256_hex(signed.der), "tbs_sha256": row.tbs_sha256}


def _mark_issued(signed: list[SignedCertificate], now: dt.datetime) -> None:
    """Gives the locked rows their status and their CAs' next status versions. Last in the transaction: it locks the CAs' rows."""
    by_ca: dict[int, list[UUID]] = {}
    for each in signed:
        by_ca.setdefault(each.row.ca.id, []).append(each.row.id)
    for ca_id, ids in sorted(by_ca.items()):
        first = draw_status_versions(ca_id, len(ids))
        with connection.cursor() as cursor:
            cursor.execute(
                "UPDATE pki_certificate SET status = %s, issued_at = %s, status_version = numbered.version"
                " FROM unnest(%s::uuid[], %s::bigint[]) AS numbered (id, version) WHERE pki_certificate.id = numbered.id",
                [CertificateStatus.ISSUED, now, ids, list(range(first, first + len(ids)))],
            )


def _fail(row: Claimed, broken: list[str]) -> None:
    """Marks a row as failed that was never signed; a row that may be signed stays reserved until the sweeper revokes it."""
    log.error("certificate.refused", certificate=str(row.id), faults=broken)
    if row.signing_attempts:
        return
    with transaction.atomic(durable=True):
        current = Certificate.objects.select_for_update(of=("self",)).defer("tbs_der").get(id=row.id)
        if current.status != CertificateStatus.RESERVED or current.signing_attempts != 1:
            return
        current.status, current.failure, current.held = CertificateStatus.FAILED, broken[0][:80], False
        current.save(update_fields=["status", "failure", "held"])
        Event.record(
            actor_ref=ACTOR,
            action="certificate.failed",
            subject_type="certificate",
            subject_ref=str(row.id),
            facts={"faults": broken},
        )


def _presign(issued: list[UUID]) -> None:
    try:
        presigning.presign(issued)
    except (HsmError, presigning.SelfCheckFailed, clock_guard.ClockWentBack, OSError) as error:
        # The sweeper of OCSP responses finds them.
        log.error("certificate.presign_postponed", count=len(issued), error=type(error).__name__)
