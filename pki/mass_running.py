"""Carries out mass revocations in the `pki` worker: in bounded transactions, resumed after a crash at any point (spec F5).

One batch revokes and moves the position in one transaction, so that no certificate is passed twice or left out. OCSP answers of
the batch are signed next, before the following one: the queue stays free for single revocations. A turn is short, and the next
is asked for at its end; a sweeper asks for what a crash or a lost wake-up left.
"""

import datetime as dt
import time
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import F, Q, QuerySet

from pki import clock_guard, crl, mass_revocation, ocsp, revoking
from pki.hsm import HsmError
from pki.models import (
    ONLINE,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    Event,
    MassRevocation,
    MassRevocationMember,
    MassRevocationState,
    Revocation,
)
from pki.revoking import RevocationRequest, SourceRecord
from siths_portal.lib import clock, faults, jobs

log = structlog.get_logger(__name__)

BATCH = 500
"""Certificates in one transaction."""

TURN_SECONDS = 20.0
"""After so long a worker's thread is given back."""

CLAIM = dt.timedelta(seconds=60)
"""After so long without a batch another worker takes over."""

ACTOR = "system:mass-revocation"
_LIVE = [CertificateStatus.RESERVED, CertificateStatus.ISSUED]
_UNDER_WAY = [MassRevocationState.RUNNING, MassRevocationState.PUBLISHING]
# Any number that no other lock has: one mass revocation at a time, so that workers have threads left for the rest.
_ONE_AT_A_TIME = 0x6D617373


def run(mass_revocation_id: UUID) -> bool:
    """One turn of a mass revocation; True if there is more to do. Does nothing if it, or another one, is being worked on."""
    claim = _claim(mass_revocation_id)
    if claim is None:
        return False
    end = time.monotonic() + TURN_SECONDS
    state: str = MassRevocationState.RUNNING
    while state == MassRevocationState.RUNNING and time.monotonic() < end:
        state, claim = _batch(mass_revocation_id)
    if state == MassRevocationState.RUNNING:
        _release(mass_revocation_id, claim)
        return True
    if state == MassRevocationState.PUBLISHING:
        _publish(mass_revocation_id)
    return False


def wake_due() -> int:
    """Asks for a turn of each mass revocation that is under way and that nobody works on; returns how many."""
    due = MassRevocation.objects.filter(_free(), state__in=_UNDER_WAY).order_by("id").values_list("id", flat=True)
    ids = list(due[:100])
    for id_ in ids:
        jobs.enqueue(mass_revocation.TASK, queue="pki", mass_revocation_id=str(id_))
    return len(ids)


def _free() -> Q:
    return Q(claimed_until=None) | Q(claimed_until__lte=clock.now())


@transaction.atomic(durable=True)
def _claim(mass_revocation_id: UUID) -> dt.datetime | None:
    """Until when this worker has it to itself; None if it is not due."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_AT_A_TIME])
    if MassRevocation.objects.filter(state__in=_UNDER_WAY, claimed_until__gt=clock.now()).exists():
        return None
    until = clock.now() + CLAIM
    ours = MassRevocation.objects.filter(_free(), id=mass_revocation_id, state__in=_UNDER_WAY)
    return until if ours.update(claimed_until=until) else None


def _release(mass_revocation_id: UUID, claim: dt.datetime | None) -> None:
    MassRevocation.objects.filter(id=mass_revocation_id, claimed_until=claim).update(claimed_until=None)


def _batch(mass_revocation_id: UUID) -> tuple[str, dt.datetime | None]:
    """Revokes the next certificates and signs their answers; the state afterwards, and the claim."""
    touched: list[UUID] = []
    with transaction.atomic(durable=True):
        # Locked first, so that two workers never take the same certificates, and a stop waits for the batch.
        row = MassRevocation.objects.select_for_update(no_key=True).get(id=mass_revocation_id)
        if row.state != MassRevocationState.RUNNING:
            return row.state, None
        ids = list(_following(row)[:BATCH])
        if ids:
            touched = _take(row, ids)
        else:
            row.state = MassRevocationState.PUBLISHING
        row.claimed_until = clock.now() + CLAIM
        row.save(
            update_fields=["state", "position", "revoked", "changed", "unchanged", "failed", "last_batch_at", "claimed_until"]
        )
        faults.point("pki.mass.before-commit")
    faults.point("pki.mass.after-commit")
    if touched:
        _sign_answers(touched)
    faults.point("pki.mass.after-answers")
    return row.state, row.claimed_until


def _following(row: MassRevocation) -> QuerySet[MassRevocationMember, UUID]:
    members = MassRevocationMember.objects.filter(mass_revocation_id=row.id)
    if row.position is not None:
        members = members.filter(certificate_id__gt=row.position)
    return members.order_by("certificate_id").values_list("certificate_id", flat=True)


def _take(row: MassRevocation, ids: list[UUID]) -> list[UUID]:
    """Revokes one batch and counts it, in the caller's transaction; ids of the certificates whose status version rose."""
    outcome = revoking.revoke(ids, _request(row), approval_request_id=row.approval_request_id)
    row.position = ids[-1]
    row.revoked += len(outcome.revoked)
    row.changed += len(outcome.changed)
    row.unchanged += outcome.unchanged
    row.failed += outcome.failed
    row.last_batch_at = clock.now()
    # Listeners may have much to do for each certificate: they hear in the default worker, and find by themselves what they miss.
    if outcome.touched:
        jobs.enqueue("pki.tell_revoked", certificate_ids=[str(id_) for id_ in outcome.touched])
    return outcome.touched


def _request(row: MassRevocation) -> RevocationRequest:
    return RevocationRequest(
        reason=row.reason,
        actor_ref=row.started_by_ref,
        received_at=row.received_at,
        channel=row.channel,
        justification=row.justification,
        invalidity_date=row.invalidity_date,
        requester=row.requester,
        source_record=SourceRecord(**row.source_record) if row.source_record else None,
    )


def _sign_answers(ids: list[UUID]) -> None:
    try:
        ocsp.presign(ids)
    except (HsmError, ocsp.SelfCheckFailed, clock_guard.ClockWentBack) as error:
        # Nothing is good any more; the sweeper of answers signs these, revoked ones first.
        log.error("mass_revocation.presign_postponed", count=len(ids), error=type(error).__name__)


def _publish(mass_revocation_id: UUID) -> None:
    """Makes the CRLs if that was asked for, and ends it with its report; what cannot be published now is tried again later."""
    row = MassRevocation.objects.get(id=mass_revocation_id)
    numbers: dict[str, int | None] = {}
    if row.publish_crls:
        numbers, failures = _make_crls(row)
        if failures:
            # The claim stays as it is: the next attempt is when it has run out.
            MassRevocation.objects.filter(id=row.id, state=MassRevocationState.PUBLISHING).update(failure=failures[:200])
            return
    faults.point("pki.mass.after-crls")
    report = _report(row, numbers)
    with transaction.atomic(durable=True):
        row = MassRevocation.objects.select_for_update(no_key=True).get(id=row.id)
        if row.state != MassRevocationState.PUBLISHING:
            return
        row.state, row.report, row.failure = MassRevocationState.FINISHED, report, ""
        row.finished_at, row.claimed_until = clock.now(), None
        row.save(update_fields=["state", "report", "failure", "finished_at", "claimed_until"])
        Event.record(
            actor_ref=ACTOR,
            action="mass_revocation.finished",
            subject_type="mass_revocation",
            subject_ref=str(row.id),
            facts=report,
        )
        faults.point("pki.mass.before-finish")


def _make_crls(row: MassRevocation) -> tuple[dict[str, int | None], str]:
    """The numbers of the new CRLs by CA, None for a CA that publishes none by itself, and what failed."""
    named = Q(pk__in=[])
    for group in row.groups:
        named |= Q(slug=group["ca"], generation=group["generation"])
    concerned = list(CertificateAuthority.objects.filter(named).order_by("id"))
    online = [ca for ca in concerned if ca.state in ONLINE and ca.key_id]
    outcomes = crl.publish_each(online)
    failures = ", ".join(f"{each.ca.slug}:{each.ca.generation} {each.error}" for each in outcomes if each.error)
    numbers: dict[str, int | None] = {f"{ca.slug}:{ca.generation}": None for ca in concerned}
    # One that was overtaken stands in the newer CRL: entries are read after the last batch was committed.
    for ca in online:
        newest = ca.crls.order_by("-number").values_list("number", flat=True).first()
        numbers[f"{ca.slug}:{ca.generation}"] = newest
    return numbers, failures


def _report(row: MassRevocation, crl_numbers: dict[str, int | None]) -> dict[str, Any]:
    """What was done against what was approved. Each count of `differences` is 0 if all went as approved."""
    records = Revocation.objects.filter(approval_request_id=row.approval_request_id).order_by("id")
    first, last = records.first(), records.last()
    total, digest = mass_revocation.members(row.id)
    not_revoked = Certificate.objects.filter(id__in=_member_ids(row), status__in=_LIVE).count()
    waiting = Certificate.objects.filter(id__in=_member_ids(row), status=CertificateStatus.REVOKED).exclude(
        presigned_version=F("status_version")
    )
    return {
        "total": row.total,
        "revoked": row.revoked,
        "changed": row.changed,
        "unchanged": row.unchanged,
        "failed": row.failed,
        "members_sha256": digest,
        "first_decided_at": first.decided_at.isoformat() if first else None,
        "last_decided_at": last.decided_at.isoformat() if last else None,
        "crl_numbers": crl_numbers,
        "ocsp_waiting": waiting.count(),
        "differences": {
            "members": abs(total - row.total) + int(digest != row.members_sha256),
            "passed": abs(row.done - row.total),
            "revoked_meanwhile": row.revocable - row.revoked - row.failed,
            "not_revoked": not_revoked,
        },
    }


def _member_ids(row: MassRevocation) -> QuerySet[MassRevocationMember, UUID]:
    return MassRevocationMember.objects.filter(mass_revocation_id=row.id).values("certificate_id")  # type: ignore[return-value]
