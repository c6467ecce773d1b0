"""Executes mass revocations in the `pki` worker: in bounded transactions, resumed after a crash at any point (rules/pki 4.4).

One batch revokes and moves the position in one transaction, so that no certificate is processed twice or left out. All
certificates are revoked first, since from then on no OCSP response says good; CRLs follow, and then the pre-signed responses,
which take longest. A turn is short and enqueues the next one at its end, so that the queue stays free for single revocations. A
sweeper enqueues turns that a crash or a lost wake-up left out.
"""

import datetime as dt
import time
from typing import Any
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.db.models import F, Max, Q, QuerySet

from pki.authorities import clock_guard
from pki.crl import building
from pki.hsm import HsmError
from pki.mass_revocation import lifecycle
from pki.models import (
    ONLINE,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    Crl,
    Event,
    MassRevocation,
    MassRevocationMember,
    MassRevocationState,
    OcspSigner,
    Revocation,
)
from pki.ocsp import presigning
from pki.revocation import revoking
from pki.revocation.revoking import RevocationRequest, SourceRecord
from siths_portal.lib import clock, faults
from siths_portal.lib.processes import jobs

log = structlog.get_logger(__name__)

BATCH = 500
"""The number of certificates in one transaction."""

TURN_SECONDS = 20.0
"""The time after which a turn ends and frees the worker's thread."""

CLAIM = dt.timedelta(seconds=60)
"""The time without a batch after which another worker takes over."""

ACTOR = "system:mass-revocation"
_LIVE = [CertificateStatus.RESERVED, CertificateStatus.ISSUED]
_UNDER_WAY = [MassRevocationState.RUNNING, MassRevocationState.PUBLISHING]
# A number that no other lock has. One mass revocation runs at a time, so that workers have threads for other tasks.
_ONE_AT_A_TIME = 0x6D617373


class _NotPublished(RuntimeError):
    """CRLs could not be made; the text has the CAs and the reasons."""


def run(mass_revocation_id: UUID) -> bool:
    """Runs one turn; returns True if more work remains. Does nothing while a worker runs this or another mass revocation."""
    claim = _claim(mass_revocation_id)
    if claim is None:
        return False
    end = time.monotonic() + TURN_SECONDS
    while True:
        row = MassRevocation.objects.get(id=mass_revocation_id)
        if row.state == MassRevocationState.RUNNING:
            claim = _batch(row.id)
        elif row.state != MassRevocationState.PUBLISHING or not _publish(row):
            return False
        else:
            claim = _extend(row.id)
        if time.monotonic() >= end:
            _release(mass_revocation_id, claim)
            return True


def wake_due() -> int:
    """Enqueues a turn of each running mass revocation that no worker has claimed; returns their number."""
    due = MassRevocation.objects.filter(_free(), state__in=_UNDER_WAY).order_by("id").values_list("id", flat=True)
    ids = list(due[:100])
    for id_ in ids:
        jobs.enqueue("pki.mass_revoke", queue="pki", mass_revocation_id=str(id_))
    return len(ids)


def _free() -> Q:
    return Q(claimed_until=None) | Q(claimed_until__lte=clock.now())


@transaction.atomic(durable=True)
def _claim(mass_revocation_id: UUID) -> dt.datetime | None:
    """Claims the mass revocation and returns when the claim expires; None if it is not due."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_ONE_AT_A_TIME])
    if MassRevocation.objects.filter(state__in=_UNDER_WAY, claimed_until__gt=clock.now()).exists():
        return None
    until = clock.now() + CLAIM
    ours = MassRevocation.objects.filter(_free(), id=mass_revocation_id, state__in=_UNDER_WAY)
    return until if ours.update(claimed_until=until) else None


def _extend(mass_revocation_id: UUID) -> dt.datetime:
    until = clock.now() + CLAIM
    MassRevocation.objects.filter(id=mass_revocation_id, state__in=_UNDER_WAY).update(claimed_until=until)
    return until


def _release(mass_revocation_id: UUID, claim: dt.datetime | None) -> None:
    ours = MassRevocation.objects.filter(id=mass_revocation_id, state__in=_UNDER_WAY, claimed_until=claim)
    ours.update(claimed_until=None)


def _batch(mass_revocation_id: UUID) -> dt.datetime | None:
    """Revokes the next certificates, or starts publishing if none are left; returns the claim's new expiry."""
    with transaction.atomic(durable=True):
        # Locked first, so that two workers never revoke the same certificates, and a stop waits for the batch.
        row = MassRevocation.objects.select_for_update(no_key=True).get(id=mass_revocation_id)
        if row.state != MassRevocationState.RUNNING:
            return None
        ids = list(_following(row)[:BATCH])
        if ids:
            _take(row, ids)
        else:
            row.state = MassRevocationState.PUBLISHING
        row.claimed_until = clock.now() + CLAIM
        row.save(
            update_fields=["state", "position", "revoked", "changed", "unchanged", "failed", "last_batch_at", "claimed_until"]
        )
        faults.point("pki.mass.before-commit")
    faults.point("pki.mass.after-commit")
    return row.claimed_until


def _following(row: MassRevocation) -> QuerySet[MassRevocationMember, UUID]:
    members = MassRevocationMember.objects.filter(mass_revocation_id=row.id)
    if row.position is not None:
        members = members.filter(certificate_id__gt=row.position)
    return members.order_by("certificate_id").values_list("certificate_id", flat=True)


def _take(row: MassRevocation, ids: list[UUID]) -> None:
    """Revokes one batch and counts it, in the caller's transaction."""
    outcome = revoking.revoke(ids, _request(row), approval_request_id=row.approval_request_id)
    row.position = ids[-1]
    row.revoked += len(outcome.revoked)
    row.changed += len(outcome.changed)
    row.unchanged += outcome.unchanged
    row.failed += outcome.failed
    row.last_batch_at = clock.now()
    # Listeners may do much work for each certificate: they run in the default worker, and find missed signals by themselves.
    if outcome.touched:
        jobs.enqueue("pki.tell_revoked", certificate_ids=[str(id_) for id_ in outcome.touched])


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


def _publish(row: MassRevocation) -> bool:
    """Executes one step of publishing: the CRLs if requested, then a batch of OCSP responses, then the end.

    Returns False if it has ended, or cannot continue now: then the claim stays until it expires, before the next attempt.
    """
    concerned = _concerned(row)
    try:
        if row.report is None:
            _note(row, report={"crl_numbers": _make_crls(concerned) if row.publish_crls else {}})
            return True
        if _sign_answers(concerned):
            faults.point("pki.mass.after-answers")
            return True
    except (_NotPublished, HsmError, presigning.SelfCheckFailed, clock_guard.ClockWentBack) as error:
        log.error("mass_revocation.publishing_failed", mass_revocation=str(row.id), error=type(error).__name__)
        _note(row, failure=(str(error) if isinstance(error, _NotPublished) else f"OCSP {type(error).__name__}")[:200])
        return False
    _finish(row)
    return False


def _note(row: MassRevocation, **values: Any) -> None:
    MassRevocation.objects.filter(id=row.id, state=MassRevocationState.PUBLISHING).update(**values)
    faults.point("pki.mass.after-note")


def _concerned(row: MassRevocation) -> list[CertificateAuthority]:
    named = Q(pk__in=[])
    for group in row.groups:
        named |= Q(slug=group["ca"], generation=group["generation"])
    return list(CertificateAuthority.objects.filter(named).order_by("id"))


def _make_crls(concerned: list[CertificateAuthority]) -> dict[str, int | None]:
    """Makes the CRLs and returns their numbers by CA; None for a CA whose CRLs the worker cannot make. Raises _NotPublished."""
    online = [ca for ca in concerned if ca.state in ONLINE and ca.key_id]
    outcomes = building.publish_each(online)
    faults.point("pki.mass.after-crls")
    if failures := [f"{_named(each.ca)} {each.error}" for each in outcomes if each.error]:
        raise _NotPublished(", ".join(failures))
    # Their entries are read after the last batch was committed.
    lists = Crl.objects.filter(ca__in=online, shard=None).values("ca_id")
    by_ca = dict(lists.annotate(newest=Max("number")).values_list("ca_id", "newest"))
    return {_named(ca): by_ca.get(ca.id) for ca in concerned}


def _named(ca: CertificateAuthority) -> str:
    return f"{ca.slug}:{ca.generation}"


def _sign_answers(concerned: list[CertificateAuthority]) -> int:
    """Signs responses for a batch of revoked certificates that lack one; returns the number of certificates.

    Goes from the last to the first, since the sweeper of responses, which runs at the same time, starts at the other end. Skips
    CAs without a responder now: their certificates would fill each batch and delay the others' responses.
    """
    now = clock.now()
    signers = OcspSigner.objects.filter(
        ca__in=concerned, ca__state__in=ONLINE, retired_at=None, not_before__lte=now, not_after__gt=now
    )
    answered = signers.filter(certificate__status=CertificateStatus.ISSUED).values("ca_id")
    waiting = Certificate.objects.filter(ca__in=answered, status=CertificateStatus.REVOKED, not_after__gt=now)
    stale = waiting.exclude(presigned_version=F("status_version")).order_by("-id").values_list("id", flat=True)
    ids = list(stale[:BATCH])
    return presigning.presign(ids) if ids else 0


def _finish(row: MassRevocation) -> None:
    report = _report(row)
    with transaction.atomic(durable=True):
        current = MassRevocation.objects.select_for_update(no_key=True).get(id=row.id)
        if current.state != MassRevocationState.PUBLISHING:
            return
        current.state, current.report, current.failure = MassRevocationState.FINISHED, report, ""
        current.finished_at, current.claimed_until = clock.now(), None
        current.save(update_fields=["state", "report", "failure", "finished_at", "claimed_until"])
        Event.record(
            actor_ref=ACTOR,
            action="mass_revocation.finished",
            subject_type="mass_revocation",
            subject_ref=str(row.id),
            facts=report,
        )
        faults.point("pki.mass.before-finish")


def _report(row: MassRevocation) -> dict[str, Any]:
    """Returns the comparison of the result with the approval. Each count of `differences` is 0 if they agree."""
    crl_numbers = (row.report or {}).get("crl_numbers", {})
    records = Revocation.objects.filter(approval_request_id=row.approval_request_id).order_by("id")
    first, last = records.first(), records.last()
    total, digest = lifecycle.members(row.id)
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
