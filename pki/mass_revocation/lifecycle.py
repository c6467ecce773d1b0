"""Mass revocation (rules/pki 4.4): requested after a trial count, approved by two others, started and stopped by an operator.

The request fixes its certificates, so that exactly the approved certificates are revoked. `execution` executes it.
"""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet

from pki.approvals import dual_control
from pki.mass_revocation import selection as mass_selection
from pki.mass_revocation.selection import MassRevocationGroup, MassSelection
from pki.models import (
    ApprovalAction,
    ApprovalRequest,
    ApprovalState,
    Certificate,
    Decision,
    Event,
    MassRevocation,
    MassRevocationMember,
    MassRevocationState,
    RevocationReason,
)
from pki.revocation.revoking import RevocationRequest, SourceRecord
from siths_portal.lib import clock, faults
from siths_portal.lib.errors import Conflict, Invalid, NotFound
from siths_portal.lib.ids import new_id
from siths_portal.lib.lists import Rows
from siths_portal.lib.processes import jobs

LONGEST_PAGE = 200
_LONGEST_TEXT = 1000
_NAMED_CAS = 4


@dataclass(frozen=True)
class MassRevocationGrounds:
    """The grounds: the fields of `RevocationRequest`, but with a required justification.

    `publish_crls` makes new CRLs of the CAs concerned at once when the last certificate is revoked.
    """

    reason: str
    justification: str
    received_at: dt.datetime
    channel: str
    invalidity_date: dt.datetime | None = None
    requester: str = ""
    source_record: SourceRecord | None = None
    publish_crls: bool = True


@dataclass(frozen=True)
class MassRevocationView:
    """A mass revocation.

    `state`: requested, approved, rejected, withdrawn, expired (all before the start), running, stopped, publishing, finished.
    People approve `document`, under `document_sha256`, by
    `pki.approvals.dual_control.decide(request_id=approval_request_id, …)`. `done` of `total` certificates have been processed:
    `revoked` now, `changed` to a compromise or an earlier invalidity date, `unchanged` since they were revoked already,
    `failed` since they were never signed. `rate` is certificates a second since the last start or continuation, 0 before the
    first batch. `failure` says what delays the end. `report` is None until the end.
    """

    id: UUID
    state: str
    summary: str
    approval_request_id: UUID
    approval_expires_at: dt.datetime
    required: int
    approver_refs: tuple[str, ...]
    document: dict[str, Any]
    document_sha256: str
    groups: tuple[MassRevocationGroup, ...]
    reason: str
    justification: str
    requested_by_ref: str
    created_at: dt.datetime
    total: int
    revocable: int
    done: int
    revoked: int
    changed: int
    unchanged: int
    failed: int
    rate: float
    failure: str
    started_at: dt.datetime | None
    started_by_ref: str
    last_batch_at: dt.datetime | None
    finished_at: dt.datetime | None
    report: dict[str, Any] | None


@transaction.atomic
def request_mass_revocation(
    selection: MassSelection,
    grounds: MassRevocationGrounds,
    *,
    as_of: dt.datetime,
    members_sha256: str,
    actor_ref: str,
) -> MassRevocationView:
    """Requests the revocation of the certificates of a trial count, whose `as_of` and `members_sha256` the caller passes.

    Joins the caller's transaction. Raises Invalid, by field, for the selection and the grounds, and for a selection without
    certificates; Conflict if the certificates are no longer those of the trial count.
    """
    wanted = mass_selection.normal(selection)
    _check(grounds, actor_ref)
    if as_of > clock.now():
        raise Invalid(
            "mass-as-of", "Provräkningen kan inte vara gjord i framtiden.", fields={"as_of": ["Gör en ny provräkning."]}
        )
    id_ = new_id()
    total, digest = _fix_members(id_, mass_selection.found(wanted, as_of))
    if digest != members_sha256:
        raise Conflict("mass-selection-changed", "Certifikaten är inte de som provräkningen visade. Gör en ny provräkning.")
    if not total:
        raise Invalid(
            "mass-selection-empty", "Urvalet träffar inga certifikat.", fields={"cas": ["Urvalet träffar inga certifikat."]}
        )
    members = MassRevocationMember.objects.filter(mass_revocation_id=id_)
    groups = mass_selection.grouped(Certificate.objects.filter(id__in=members.values("certificate_id")))
    row = MassRevocation(
        id=id_,
        selection=wanted.plain(),
        as_of=as_of,
        groups=[asdict(group) for group in groups],
        total=total,
        revocable=sum(group.reserved + group.issued for group in groups),
        members_sha256=digest,
        reason=grounds.reason,
        justification=grounds.justification.strip(),
        received_at=grounds.received_at,
        invalidity_date=grounds.invalidity_date,
        channel=grounds.channel,
        requester=grounds.requester or actor_ref,
        source_record=asdict(grounds.source_record) if grounds.source_record else None,
        publish_crls=grounds.publish_crls,
        requested_by_ref=actor_ref,
        created_at=clock.now(),
    )
    row.approval_request = dual_control.request(
        action=ApprovalAction.MASS_REVOCATION,
        summary=_summary(row),
        document=document(row),
        requester_ref=actor_ref,
    )
    row.save(force_insert=True)
    _record(row, "mass_revocation.requested", actor_ref, {"total": total, "members_sha256": digest, "reason": row.reason})
    return mass_revocation(id_)


@transaction.atomic
def start_mass_revocation(mass_revocation_id: UUID, *, actor_ref: str) -> MassRevocationView:
    """Starts an approved mass revocation, which uses its approval, or continues a stopped one.

    Joins the caller's transaction; the worker begins when that commits. Raises NotFound; Conflict if it is not approved, was
    started already, or is no longer what was approved.
    """
    row = _locked(mass_revocation_id)
    if row.state == MassRevocationState.REQUESTED:
        if members(row.id) != (row.total, row.members_sha256):
            raise Conflict("approval-other-document", "Certifikaten är inte de som godkändes.")
        dual_control.use(
            request_id=row.approval_request_id,
            action=ApprovalAction.MASS_REVOCATION,
            document=document(row),
            actor_ref=actor_ref,
        )
        row.started_at, row.started_by_ref = clock.now(), actor_ref
        action = "mass_revocation.started"
    elif row.state == MassRevocationState.STOPPED:
        action = "mass_revocation.continued"
    else:
        raise Conflict("mass-revocation-started", "Masspärren är redan startad.")
    row.state, row.failure = MassRevocationState.RUNNING, ""
    row.resumed_at, row.resumed_from, row.claimed_until = clock.now(), row.done, None
    row.save()
    _record(row, action, actor_ref, {"done": row.done, "total": row.total})
    jobs.enqueue("pki.mass_revoke", queue="pki", mass_revocation_id=str(row.id))
    faults.point("pki.mass.start.before-commit")
    return mass_revocation(row.id)


@transaction.atomic
def stop_mass_revocation(mass_revocation_id: UUID, *, actor_ref: str, justification: str) -> MassRevocationView:
    """Stops a running mass revocation after the current batch. Revoked certificates stay revoked; it may be continued.

    Joins the caller's transaction. Raises NotFound; Invalid without a justification; Conflict if it is not running.
    """
    if not justification.strip() or len(justification) > _LONGEST_TEXT:
        raise Invalid(
            "mass-stop-reason", "Skriv kort varför.", fields={"justification": ["Skriv varför, med högst 1000 tecken."]}
        )
    row = _locked(mass_revocation_id)
    if row.state != MassRevocationState.RUNNING:
        raise Conflict("mass-revocation-not-running", "Masspärren går inte nu, så den kan inte stoppas.")
    row.state = MassRevocationState.STOPPED
    row.save(update_fields=["state"])
    facts = {"done": row.done, "total": row.total, "justification": justification.strip()}
    _record(row, "mass_revocation.stopped", actor_ref, facts)
    return mass_revocation(row.id)


def mass_revocation(mass_revocation_id: UUID) -> MassRevocationView:
    """Returns one mass revocation. Raises NotFound."""
    row = _rows().filter(id=mass_revocation_id).first()
    if row is None:
        raise NotFound("mass-revocation-unknown", "Masspärren finns inte.")
    return _view(row)


def mass_revocations() -> Rows[MassRevocation, MassRevocationView]:
    """Returns mass revocations. Their ids rise with time."""
    return Rows(_rows(), lambda found: [_view(row) for row in found])


def document(row: MassRevocation) -> dict[str, Any]:
    """Returns the document that people approve, from the row's present values, so that a changed row is no longer approved."""
    return {
        "mass_revocation": str(row.id),
        "selection": mass_selection.summarised(row.selection),
        "as_of": mass_selection.utc(row.as_of),
        "groups": row.groups,
        "total": row.total,
        "revocable": row.revocable,
        "members_sha256": row.members_sha256,
        "reason": row.reason,
        "justification": row.justification,
        "received_at": mass_selection.utc(row.received_at),
        "invalidity_date": mass_selection.utc(row.invalidity_date) if row.invalidity_date else None,
        "channel": row.channel,
        "requester": row.requester,
        "source_record": row.source_record,
        "publish_crls": row.publish_crls,
    }


def _check(grounds: MassRevocationGrounds, actor_ref: str) -> None:
    """Raises Invalid for grounds that a revocation would refuse later."""
    if not grounds.justification.strip():
        raise Invalid("mass-justification", "Skriv varför.", fields={"justification": ["Skriv varför certifikaten ska spärras."]})
    if grounds.reason == RevocationReason.CA_COMPROMISE:
        reason = "cACompromise gäller en utfärdares eget certifikat och spärras för sig."
        raise Invalid("revocation-reason-ca", reason, fields={"reason": [reason]})
    RevocationRequest(
        grounds.reason,
        actor_ref,
        grounds.received_at,
        grounds.channel,
        grounds.justification,
        grounds.invalidity_date,
        grounds.requester,
        grounds.source_record,
    )


def _fix_members(id_: UUID, rows: QuerySet[Certificate]) -> tuple[int, str]:
    """Stores the selected certificates in one statement; returns their number and hash."""
    sql, parameters = rows.order_by().values("id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pki_massrevocationmember (mass_revocation_id, certificate_id) "  # noqa: S608  (the query set's own)
            f"SELECT %s::uuid, member.id FROM ({sql}) AS member",
            [str(id_), *parameters],
        )
    return members(id_)


def members(id_: UUID) -> tuple[int, str]:
    """Returns the number and hash of the stored certificates."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*), {mass_selection.digest_sql('certificate_id')} "  # noqa: S608  (a constant)
            "FROM pki_massrevocationmember WHERE mass_revocation_id = %s",
            [str(id_)],
        )
        total, digest = cursor.fetchone()
    return int(total), str(digest)


def _summary(row: MassRevocation) -> str:
    cas = sorted({f"{group['ca']}:{group['generation']}" for group in row.groups})
    named = ", ".join(cas) if len(cas) <= _NAMED_CAS else f"{len(cas)} utfärdare"
    return f"Spärra {row.revocable} certifikat ({row.reason}) från {named}"


def _locked(mass_revocation_id: UUID) -> MassRevocation:
    row = MassRevocation.objects.select_for_update(no_key=True).filter(id=mass_revocation_id).first()
    if row is None:
        raise NotFound("mass-revocation-unknown", "Masspärren finns inte.")
    return row


def _rows() -> QuerySet[MassRevocation]:
    rows = MassRevocation.objects.select_related("approval_request").prefetch_related("approval_request__approvals")
    return rows.defer("selection")  # may have long lists, and pages poll every other second


def _view(row: MassRevocation) -> MassRevocationView:
    request = row.approval_request
    given = sorted((each for each in request.approvals.all() if each.decision == Decision.APPROVED), key=lambda each: each.id)
    return MassRevocationView(
        id=row.id,
        state=_state(row, request),
        summary=request.summary,
        approval_request_id=request.id,
        approval_expires_at=request.expires_at,
        required=request.required,
        approver_refs=tuple(each.approver_ref for each in given),
        document=request.document,
        document_sha256=request.document_sha256,
        groups=tuple(MassRevocationGroup(**group) for group in row.groups),
        reason=row.reason,
        justification=row.justification,
        requested_by_ref=row.requested_by_ref,
        created_at=row.created_at,
        total=row.total,
        revocable=row.revocable,
        done=row.done,
        revoked=row.revoked,
        changed=row.changed,
        unchanged=row.unchanged,
        failed=row.failed,
        rate=_rate(row),
        failure=row.failure,
        started_at=row.started_at,
        started_by_ref=row.started_by_ref,
        last_batch_at=row.last_batch_at,
        finished_at=row.finished_at,
        report=row.report if row.state == MassRevocationState.FINISHED else None,
    )


def _state(row: MassRevocation, request: ApprovalRequest) -> str:
    """Returns the state: until the start the approval's, which may have expired before it is closed."""
    if row.state != MassRevocationState.REQUESTED:
        return row.state
    if request.state in (ApprovalState.OPEN, ApprovalState.APPROVED) and request.expires_at <= clock.now():
        return ApprovalState.EXPIRED.value
    return row.state if request.state == ApprovalState.OPEN else request.state


def _rate(row: MassRevocation) -> float:
    if row.last_batch_at is None or row.resumed_at is None or row.last_batch_at <= row.resumed_at:
        return 0.0
    return (row.done - row.resumed_from) / (row.last_batch_at - row.resumed_at).total_seconds()


def _record(row: MassRevocation, action: str, actor_ref: str, facts: dict[str, Any]) -> None:
    Event.record(
        actor_ref=actor_ref,
        action=action,
        subject_type="mass_revocation",
        subject_ref=str(row.id),
        facts=facts,
    )
