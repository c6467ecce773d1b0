"""Dual control (rules/pki 7.1): a person requests an act, enough other persons approve it, and it is carried out once.

Nobody may approve their own request or a request made in their name (`requester` of the document), and nobody may approve twice.
Functions join the caller's transaction.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from pki.models import Approval, ApprovalAction, ApprovalRequest, ApprovalState, Decision, Event
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound

LIFETIME = dt.timedelta(days=30)
"""How long a request may wait for its approvals, and an approved request for its use."""

REQUIRED: Mapping[str, int] = {
    ApprovalAction.CEREMONY: 2,
    ApprovalAction.CA_STATE: 1,
    ApprovalAction.MASS_REVOCATION: 2,
    ApprovalAction.IMPORT: 1,
}
"""Number of approvers besides the requester, by action."""

KNOWN_REQUESTERS = ("user:", "participant:")
"""Prefixes of requesters who can be told apart from the approvers.

Other requesters, such as `operator:`, are known by a system account, and the same person may approve with another account in the
portal. Their requests need at least two approvers, so that one person alone can never act.
"""


@dataclass(frozen=True)
class ApproverSignature:
    """An approver's signature, by the key of `certificate_der`, over what the document refers to; already verified.

    For a ceremony this is a detached CMS (DER) over the ceremony file, whose hash is in the document.
    """

    signature: bytes
    certificate_der: bytes


def document_hash(document: Mapping[str, Any]) -> str:
    """Returns the hash that approvals refer to: SHA-256 of the document's canonical JSON, in hex."""
    return sha256_hex(canonical_json(dict(document)))


@transaction.atomic
def request(
    *, action: ApprovalAction, summary: str, document: Mapping[str, Any], requester_ref: str, required: int = 0
) -> ApprovalRequest:
    """Requests the approvals that `action` and the requester need, or more if `required` is higher.

    `summary` is one Swedish line without personal data.
    """
    now = clock.now()
    made = ApprovalRequest.objects.create(
        action=action,
        summary=summary,
        document=dict(document),
        document_sha256=document_hash(document),
        required=max(required, _least(action, requester_ref)),
        requester_ref=requester_ref,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    _record(made, "approval.requested", requester_ref, {"action": action, "required": made.required})
    return made


@transaction.atomic
def decide(
    *,
    request_id: UUID,
    approver_ref: str,
    decision: Decision,
    document_sha256: str,
    justification: str = "",
    signed: ApproverSignature | None = None,
) -> ApprovalRequest:
    """Records the decision of a person who saw the document with hash `document_sha256`. A rejection ends the request.

    Raises NotFound; Forbidden for the requester; Conflict for a request that is closed or too old, a second decision of the same
    person and another document; Invalid for a rejection without a reason.
    """
    row = _locked(request_id)
    now = clock.now()
    if row.state != ApprovalState.OPEN or row.expires_at <= now:
        raise Conflict("approval-closed", "Ärendet väntar inte på godkännande längre. Ladda om sidan.")
    if approver_ref in (row.requester_ref, row.document.get("requester")):
        raise Forbidden("approval-own-request", "Du kan inte godkänna det du själv har begärt. Be en kollega.")
    if row.approvals.filter(approver_ref=approver_ref).exists():
        raise Conflict("approval-given", "Du har redan lämnat ditt beslut i ärendet. En annan person ska lämna nästa.")
    if document_sha256 != row.document_sha256:
        raise Conflict("approval-other-document", "Underlaget är inte det som ärendet gäller. Läs underlaget igen.")
    if decision == Decision.REJECTED and not justification.strip():
        raise Invalid("approval-reason", "Skriv varför du avslår.", fields={"justification": ["Skriv varför du avslår."]})
    Approval.objects.create(
        request=row,
        approver_ref=approver_ref,
        decision=decision,
        document_sha256=document_sha256,
        justification=justification,
        signature=signed.signature if signed else None,
        certificate_der=signed.certificate_der if signed else None,
        at=now,
    )
    _record(row, f"approval.{decision}", approver_ref, {"document_sha256": document_sha256, "signed": signed is not None})
    if decision == Decision.REJECTED:
        _close(row, ApprovalState.REJECTED)
    elif _enough(row):
        _close(row, ApprovalState.APPROVED)
    return row


@transaction.atomic
def withdraw(*, request_id: UUID, requester_ref: str) -> ApprovalRequest:
    """Withdraws a request that is not carried out. Raises NotFound, Forbidden for another person's request, Conflict."""
    row = _locked(request_id)
    if row.requester_ref != requester_ref:
        raise Forbidden("approval-not-yours", "Bara personen som har begärt ärendet kan ta tillbaka det.")
    if row.state not in (ApprovalState.OPEN, ApprovalState.APPROVED):
        raise Conflict("approval-closed", "Ärendet är redan avslutat.")
    _close(row, ApprovalState.WITHDRAWN)
    _record(row, "approval.withdrawn", requester_ref, {})
    return row


@transaction.atomic
def use(*, request_id: UUID, action: ApprovalAction, document: Mapping[str, Any], actor_ref: str) -> ApprovalRequest:
    """Uses an approved request for the act that the caller's transaction carries out: once, and only for this document.

    Raises NotFound, and Conflict if it is for another action or document, not approved, used or too old.
    """
    row = _locked(request_id)
    if row.action != action or row.document_sha256 != document_hash(document):
        raise Conflict("approval-other-document", "Godkännandet gäller ett annat underlag.")
    if row.state != ApprovalState.APPROVED or row.expires_at <= clock.now() or not _enough(row):
        raise Conflict("approval-missing", f"Det krävs godkännande av {row.required} andra personer än den som begärde det.")
    _close(row, ApprovalState.USED)
    _record(row, "approval.used", actor_ref, {"document_sha256": row.document_sha256})
    return row


def approver_refs(row: ApprovalRequest) -> list[str]:
    """Returns the approvers, in the order of their decisions."""
    return list(row.approvals.filter(decision=Decision.APPROVED).order_by("at", "id").values_list("approver_ref", flat=True))


def expire() -> int:
    """Closes requests that are too old, and returns how many."""
    with transaction.atomic(durable=True):
        waiting = ApprovalRequest.objects.filter(state__in=[ApprovalState.OPEN, ApprovalState.APPROVED])
        rows = list(waiting.filter(expires_at__lte=clock.now()).select_for_update(skip_locked=True)[:500])
        _close_all(rows, ApprovalState.EXPIRED)
        Event.objects.bulk_create(_event(row, "approval.expired", "system:approvals", {}) for row in rows)
    return len(rows)


def _enough(row: ApprovalRequest) -> bool:
    """Whether enough others have approved this document. Counts their decisions; does not trust the request's own state."""
    given = row.approvals.filter(decision=Decision.APPROVED, document_sha256=row.document_sha256)
    others = given.exclude(approver_ref__in=[row.requester_ref, row.document.get("requester") or ""])
    return others.values("approver_ref").distinct().count() >= max(row.required, _least(row.action, row.requester_ref))


def _least(action: str, requester_ref: str) -> int:
    return max(REQUIRED[action], 1 if requester_ref.startswith(KNOWN_REQUESTERS) else 2)


def _locked(request_id: UUID) -> ApprovalRequest:
    row = ApprovalRequest.objects.select_for_update().filter(id=request_id).first()
    if row is None:
        raise NotFound("approval-unknown", "Ärendet finns inte.")
    return row


def _close(row: ApprovalRequest, state: ApprovalState) -> None:
    _close_all([row], state)


def _close_all(rows: Iterable[ApprovalRequest], state: ApprovalState) -> None:
    closed = list(rows)
    for row in closed:
        row.state, row.closed_at = state, clock.now()
    ApprovalRequest.objects.bulk_update(closed, ["state", "closed_at"])


def _record(row: ApprovalRequest, action: str, actor_ref: str, facts: dict[str, Any]) -> None:
    _event(row, action, actor_ref, facts).save(force_insert=True)


def _event(row: ApprovalRequest, action: str, actor_ref: str, facts: dict[str, Any]) -> Event:
    return Event(
        at=clock.now(),
        actor_ref=actor_ref,
        action=action,
        subject_type="approval_request",
        subject_ref=str(row.id),
        facts=facts,
    )
