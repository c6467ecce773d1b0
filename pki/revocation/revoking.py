"""Revocation (RFC 5280 section 5.3.1, EN 319 411-1 section 6.3.9): final, repeatable, in the caller's transaction."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final
from uuid import UUID

import structlog
from django.conf import settings
from django.db import connection, transaction

from pki.authorities import queries as authorities
from pki.domain import serials
from pki.models import (
    COMPROMISE,
    Certificate,
    CertificateAuthority,
    CertificateStatus,
    Event,
    Revocation,
    RevocationChannel,
    RevocationReason,
)
from pki.signals import certificate_revoked
from siths_portal.lib import clock, faults
from siths_portal.lib.database import bulk
from siths_portal.lib.errors import Invalid, NotFound
from siths_portal.lib.processes import jobs

log = structlog.get_logger(__name__)

_REVOKED, _CHANGED = "certificate.revoked", "certificate.revocation_changed"
_LIMITS = {"justification": 1000, "requester": 200, "registered_by": 200, "kept_at": 200}


@dataclass(frozen=True)
class SourceRecord:
    """The source of a request on paper (rules/pki 4.3): who wrote it down, as an opaque reference, and where the paper is."""

    registered_by: str
    kept_at: str


@dataclass(frozen=True)
class RevocationRequest:
    """A revocation request: requester, reason, channel and time (rules/pki 4.2). It is checked when it is created.

    `requester` is empty if `actor_ref`, who executes the revocation, also requested it. `received_at` may be in the past, as for
    a request on paper, which needs its `source_record`; `invalidity_date` is since when the key or the certificate was invalid.

    Raises Invalid, by field, for an unsupported reason (`certificateHold` and `removeFromCRL` are unsupported: revocation is
    final), an unknown channel, a time in the future, a paper without its record, and texts that are too long.
    """

    reason: str
    actor_ref: str
    received_at: dt.datetime
    channel: str
    justification: str = ""
    invalidity_date: dt.datetime | None = None
    requester: str = ""
    source_record: SourceRecord | None = None

    def __post_init__(self) -> None:
        if self.reason not in RevocationReason.values:
            raise Invalid(
                "revocation-reason", "Spärrorsaken finns inte.", fields={"reason": ["Välj en av de spärrorsaker som finns."]}
            )
        if self.channel not in RevocationChannel.values:
            raise Invalid("revocation-channel", "Vägen finns inte.", fields={"channel": ["Välj hur begäran kom in."]})
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
        self._check_texts()

    def _check_texts(self) -> None:
        record = asdict(self.source_record) if self.source_record else {}
        lacking = [name for name, text in record.items() if not text.strip()]
        if self.channel == RevocationChannel.PAPER and not record:
            lacking = ["registered_by", "kept_at"]
        faults = {name: ["Ange vem som skrev ner begäran och var papperet finns."] for name in lacking}
        texts = {"justification": self.justification, "requester": self.requester, **record}
        faults |= {name: [f"Högst {_LIMITS[name]} tecken."] for name, text in texts.items() if len(text) > _LIMITS[name]}
        if faults:
            raise Invalid("revocation-record", "Uppgifterna om begäran räcker inte, eller är för långa.", fields=faults)

    @property
    def asked_by(self) -> str:
        """Returns the requester."""
        return self.requester or self.actor_ref


@dataclass(frozen=True)
class RevocationResult:
    """The certificates by outcome: revoked now, changed to a compromise or an earlier invalidity date, or unchanged.

    `failed` certificates were never signed, so they cannot be revoked.
    """

    revoked: list[UUID] = field(default_factory=list)
    changed: list[UUID] = field(default_factory=list)
    unchanged: int = 0
    failed: int = 0

    @property
    def touched(self) -> list[UUID]:
        """Returns the ids of certificates with a new status version."""
        return self.revoked + self.changed


def plan_revocation(
    ids: Iterable[UUID],
    *,
    reason: str,
    actor_ref: str,
    received_at: dt.datetime,
    channel: str,
    justification: str = "",
    invalidity_date: dt.datetime | None = None,
    requester: str = "",
    source_record: SourceRecord | None = None,
) -> None:
    """Revokes the certificates in the caller's transaction and wakes the signer of OCSP responses at its commit.

    Also wakes the job that replaces a responder whose certificate is revoked. Revocation is final: a revoked certificate changes
    only if the reason becomes a compromise or the invalidity date becomes earlier. A reserved certificate is revoked too and is
    never issued; a failed one was never signed and stays. Pass all certificates of one act in one call, so that locks are taken
    in one order. The arguments are those of `RevocationRequest`.

    Raises Invalid, also for cACompromise of a certificate that is not a CA's, and NotFound for an unknown id.
    """
    request = RevocationRequest(reason, actor_ref, received_at, channel, justification, invalidity_date, requester, source_record)
    touched = revoke(ids, request).touched
    if touched:
        jobs.enqueue("pki.presign", queue="pki", certificate_ids=[str(id_) for id_ in touched])
        if settings.DATABASE_PURPOSE == "pki":
            # Listeners write rows that this process may not write (ADR 0311), so they run in the default worker.
            jobs.enqueue("pki.tell_revoked", queue="default", certificate_ids=[str(id_) for id_ in touched])
        else:
            transaction.on_commit(lambda: _committed(touched))


def revoke_serial(ca: CertificateAuthority, serial: int, request: RevocationRequest) -> Certificate:
    """Revokes the CA's certificate with this serial, in its own transaction. Raises NotFound, and as `plan_revocation`."""
    with transaction.atomic(durable=True):
        row = Certificate.objects.filter(ca=ca, serial=serials.text(serial)).values_list("id", flat=True).first()
        if row is None:
            raise NotFound("certificate-unknown", "Utfärdaren har inte utfärdat något certifikat med detta serienummer.")
        values = {name: getattr(request, name) for name in request.__dataclass_fields__}
        plan_revocation([row], **values)
    return Certificate.objects.get(id=row)


def revoke(
    ids: Iterable[UUID],
    request: RevocationRequest,
    *,
    approval_request_id: UUID | None = None,
    revoked_at: dt.datetime | None = None,
) -> RevocationResult:
    """Revokes in the caller's transaction, in a number of queries that does not grow with the certificates.

    Wakes only the job that replaces an OCSP responder. Only mass revocation and the replay of the journal call it, which passes
    `revoked_at`, when the certificates were revoked before the database was lost; other callers use `plan_revocation`.
    Raises Invalid, NotFound.
    """
    wanted = set(ids)
    rows = _locked(wanted)
    if len(rows) != len(wanted):
        raise NotFound("certificate-unknown", "Certifikatet finns inte.")
    if request.reason == RevocationReason.CA_COMPROMISE:
        _refuse_holders(wanted)
    now = clock.now()
    actions = {row.id: action for row in rows if (action := _apply(row, request, revoked_at or now))}
    changed = [row for row in rows if row.id in actions]
    if changed:
        bulk.insert(_record(row, request, now, approval_request_id) for row in changed)
        # From here the CAs' rows are locked, and no process issues.
        _update(changed)
        bulk.insert(_event(row, actions[row.id], request, now) for row in changed)
    if any(row.subject_ref.startswith("ocsp:") for row in changed):
        jobs.enqueue("pki.renew_responders", queue="pki")
    faults.point("pki.revoke.before-commit")
    failed = sum(row.status == CertificateStatus.FAILED for row in rows)
    return RevocationResult(
        revoked=[id_ for id_, action in actions.items() if action == _REVOKED],
        changed=[id_ for id_, action in actions.items() if action == _CHANGED],
        unchanged=len(rows) - len(actions) - failed,
        failed=failed,
    )


@dataclass
class _RevokedRow:
    """The columns that a revocation reads and changes. An ORM object with all columns costs five times the query."""

    id: UUID
    ca_id: int
    serial: str
    subject_ref: str
    status: str
    revoked_at: dt.datetime | None
    reason: str
    invalidity_date: dt.datetime | None
    status_version: int


_COLUMNS: Final = ", ".join(each.name for each in fields(_RevokedRow))


def _locked(ids: set[UUID]) -> list[_RevokedRow]:
    """Returns the existing certificates of these, locked in the order of their ids."""
    statement = f"SELECT {_COLUMNS} FROM pki_lock_certificates(%s::uuid[])"  # noqa: S608  (ours)
    with connection.cursor() as cursor:
        cursor.execute(statement, [[str(id_) for id_ in ids]])
        return [_RevokedRow(*row) for row in cursor.fetchall()]


def _refuse_holders(ids: set[UUID]) -> None:
    """Raises Invalid for a certificate that is not a CA's: cACompromise is about a CA's key (RFC 5280 section 5.3.1)."""
    if Certificate.objects.filter(authorities.ca_certificates(), id__in=ids).count() != len(ids):
        raise Invalid(
            "revocation-reason-ca",
            "cACompromise gäller bara utfärdares certifikat. Välj keyCompromise för andra.",
            fields={"reason": ["Gäller bara utfärdares certifikat."]},
        )


def _apply(row: _RevokedRow, request: RevocationRequest, revoked_at: dt.datetime) -> str:
    """Applies the request to `row` and returns the event's name; empty if nothing changed."""
    if row.status == CertificateStatus.FAILED:
        return ""
    if row.status != CertificateStatus.REVOKED:
        row.status = CertificateStatus.REVOKED
        row.revoked_at = revoked_at
        row.reason = request.reason
        row.invalidity_date = request.invalidity_date
        return _REVOKED
    changed = ""
    if request.reason in COMPROMISE and row.reason not in COMPROMISE:
        row.reason = request.reason
        changed = _CHANGED
    since = row.invalidity_date or row.revoked_at
    if request.invalidity_date is not None and since is not None and request.invalidity_date < since:
        row.invalidity_date = request.invalidity_date
        changed = _CHANGED
    return changed


def _update(rows: list[_RevokedRow]) -> None:
    """Writes the changes of `_apply` in one statement, and gives the rows their status versions.

    A database function executes the acts in `Revocation` and gives each row its CA's next status version. The process that
    revokes has no right to change a certificate (ADR 0311): if it chose the version, it could keep an outdated OCSP response in
    use. A hold ends with the revocation; relying parties then see the revocation's own time and reason.
    """
    values = [(str(row.id), row.revoked_at, row.reason, row.invalidity_date) for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT certificate, version"
            " FROM pki_revoke_certificates(%s::uuid[], %s::timestamptz[], %s::text[], %s::timestamptz[])",
            [list(column) for column in zip(*values, strict=True)],
        )
        versions: dict[UUID, int] = dict(cursor.fetchall())
    for row in rows:
        row.status_version = versions[row.id]


def _record(row: _RevokedRow, request: RevocationRequest, now: dt.datetime, approval_request_id: UUID | None) -> Revocation:
    return Revocation(
        certificate_id=row.id,
        received_at=request.received_at,
        decided_at=now,
        effective_at=row.revoked_at or now,
        invalidity_date=row.invalidity_date,
        requester=request.asked_by,
        actor_ref=request.actor_ref,
        channel=request.channel,
        reason=row.reason,
        justification=request.justification,
        source_record=asdict(request.source_record) if request.source_record else None,
        approval_request_id=approval_request_id,
    )


def _event(row: _RevokedRow, action: str, request: RevocationRequest, now: dt.datetime) -> Event:
    facts: dict[str, Any] = {
        "ca_id": row.ca_id,
        "serial": row.serial,
        "reason": row.reason,
        "channel": request.channel,
        "requester": request.asked_by,
        "received_at": request.received_at.isoformat(),
        "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
        "invalidity_date": row.invalidity_date.isoformat() if row.invalidity_date else None,
        "status_version": row.status_version,
    }
    if request.source_record:
        facts["source_record"] = asdict(request.source_record)
    return Event(
        at=now,
        actor_ref=request.actor_ref,
        action=action,
        subject_type="certificate",
        subject_ref=str(row.id),
        facts=facts,
    )


def _committed(touched: list[UUID]) -> None:
    faults.point("pki.revoke.after-commit")
    tell(touched)


def tell(certificate_ids: list[UUID]) -> None:
    """Sends `certificate_revoked`. A failing listener is logged and does not stop the others."""
    for receiver, outcome in certificate_revoked.send_robust(sender=Certificate, certificate_ids=certificate_ids):
        if isinstance(outcome, Exception):
            log.error("certificate_revoked.listener_failed", listener=repr(receiver), error=type(outcome).__name__)
