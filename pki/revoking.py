"""Revocation (RFC 5280 section 5.3.1, EN 319 411-1 section 6.3.9): final, repeatable, in the caller's transaction."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import structlog
from django.db import transaction

from pki.domain import serials
from pki.models import (
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    Event,
    Revocation,
    RevocationReason,
    draw_status_versions,
)
from pki.signals import certificate_revoked
from siths_portal.lib import clock, jobs
from siths_portal.lib.errors import Invalid, NotFound

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Request:
    """Who asks for a revocation, why, through which channel and since when; checked when made.

    Raises Invalid for a reason that is not on offer (`certificateHold` and `removeFromCRL` are not: revocation is final), and for
    a moment in the future.
    """

    reason: str
    actor_ref: str
    received_at: dt.datetime
    channel: str
    justification: str = ""
    invalidity_date: dt.datetime | None = None

    def __post_init__(self) -> None:
        if self.reason not in RevocationReason.values:
            raise Invalid(
                "revocation-reason", "Spärrorsaken finns inte.", fields={"reason": ["Välj en av de spärrorsaker som finns."]}
            )
        now = clock.now()
        if self.received_at > now:
            raise Invalid(
                "revocation-received",
                "Begäran kan inte ha kommit in i framtiden.",
                fields={"received_at": ["Ange en tid som har varit."]},
            )
        if self.invalidity_date is not None and self.invalidity_date > now:
            raise Invalid(
                "revocation-invalidity",
                "Certifikatet kan inte ha blivit ogiltigt i framtiden.",
                fields={"invalidity_date": ["Ange en tid som har varit."]},
            )


def plan_revocation(
    ids: Iterable[UUID],
    *,
    reason: str,
    actor_ref: str,
    received_at: dt.datetime,
    channel: str,
    justification: str = "",
    invalidity_date: dt.datetime | None = None,
) -> None:
    """Revokes the certificates when the caller's transaction commits, and wakes the signer of OCSP answers and, for a responder's
    certificate, what replaces it.

    Final: revoked certificates stay as they are, but for a reason that becomes keyCompromise and an invalidity date that moves
    back. A reserved certificate is revoked too and is never issued; a failed one was never signed and is left. One call takes
    all certificates of an act, so that locks are taken in one order. Raises Invalid, and NotFound for an unknown id.
    """
    request = Request(reason, actor_ref, received_at, channel, justification, invalidity_date)
    wanted = set(ids)
    rows = list(Certificate.objects.filter(id__in=wanted).select_for_update(of=("self",)).defer("tbs_der").order_by("id"))
    if len(rows) != len(wanted):
        raise NotFound("certificate-unknown", "Certifikatet finns inte.")
    now = clock.now()
    actions = {row.id: action for row in rows if (action := _apply(row, request, now))}
    changed = [row for row in rows if row.id in actions]
    if not changed:
        return
    _number(changed)
    Certificate.objects.bulk_update(
        changed, ["status", "revoked_at", "reason", "invalidity_date", "status_version"], batch_size=500
    )
    Revocation.objects.bulk_create(_record(row, request, now) for row in changed)
    Event.objects.bulk_create(_event(row, actions[row.id], request, now) for row in changed)
    changed_ids = [row.id for row in changed]
    jobs.enqueue("pki.presign", queue="pki", certificate_ids=[str(id_) for id_ in changed_ids])
    if any(row.subject_ref.startswith("ocsp:") for row in changed):
        jobs.enqueue("pki.renew_responders", queue="pki")
    transaction.on_commit(lambda: _tell(changed_ids))


def revoke_serial(
    ca: CertificateAuthority,
    serial: int,
    *,
    reason: str,
    actor_ref: str,
    received_at: dt.datetime,
    channel: str,
    justification: str = "",
    invalidity_date: dt.datetime | None = None,
) -> Certificate:
    """Revokes the CA's certificate with this serial, in a transaction of its own. Raises NotFound, and as `plan_revocation`."""
    with transaction.atomic(durable=True):
        row = Certificate.objects.filter(ca=ca, serial=serials.text(serial)).values_list("id", flat=True).first()
        if row is None:
            raise NotFound("certificate-unknown", "Utfärdaren har inte utfärdat något certifikat med detta serienummer.")
        plan_revocation(
            [row],
            reason=reason,
            actor_ref=actor_ref,
            received_at=received_at,
            channel=channel,
            justification=justification,
            invalidity_date=invalidity_date,
        )
    return Certificate.objects.get(id=row)


def _apply(row: Certificate, request: Request, now: dt.datetime) -> str:
    """Changes `row` as far as the request may, and names the event; empty if nothing changed."""
    if row.status == CertificateStatus.FAILED:
        return ""
    if row.status != CertificateStatus.REVOKED:
        row.status = CertificateStatus.REVOKED
        row.revoked_at = now
        row.reason = request.reason
        row.invalidity_date = request.invalidity_date
        return "certificate.revoked"
    changed = ""
    if request.reason == RevocationReason.KEY_COMPROMISE != row.reason:
        row.reason = request.reason
        changed = "certificate.revocation_changed"
    since = row.invalidity_date or row.revoked_at
    if request.invalidity_date is not None and since is not None and request.invalidity_date < since:
        row.invalidity_date = request.invalidity_date
        changed = "certificate.revocation_changed"
    return changed


def _number(rows: list[Certificate]) -> None:
    """Gives each row its CA's next status version; CAs are locked in the order of their ids."""
    by_ca: dict[int, list[Certificate]] = {}
    for row in rows:
        by_ca.setdefault(row.ca_id, []).append(row)
    for ca_id in sorted(by_ca):
        first = draw_status_versions(ca_id, len(by_ca[ca_id]))
        for offset, row in enumerate(by_ca[ca_id]):
            row.status_version = first + offset


def _record(row: Certificate, request: Request, now: dt.datetime) -> Revocation:
    return Revocation(
        certificate=row,
        received_at=request.received_at,
        decided_at=now,
        effective_at=row.revoked_at or now,
        invalidity_date=row.invalidity_date,
        requester=request.actor_ref,
        channel=request.channel,
        reason=row.reason,
        justification=request.justification,
    )


def _event(row: Certificate, action: str, request: Request, now: dt.datetime) -> Event:
    return Event(
        at=now,
        actor_ref=request.actor_ref,
        action=action,
        subject_type="certificate",
        subject_ref=str(row.id),
        facts={
            "ca_id": row.ca_id,
            "serial": row.serial,
            "reason": row.reason,
            "channel": request.channel,
            "received_at": request.received_at.isoformat(),
            "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
            "invalidity_date": row.invalidity_date.isoformat() if row.invalidity_date else None,
            "status_version": row.status_version,
        },
    )


def _tell(certificate_ids: list[UUID]) -> None:
    for receiver, outcome in certificate_revoked.send_robust(sender=Certificate, certificate_ids=certificate_ids):
        if isinstance(outcome, Exception):
            log.error("certificate_revoked.listener_failed", listener=repr(receiver), error=type(outcome).__name__)
