"""Decisions on approval requests of the PKI. `pki.approvals` enforces that requester and approvers are different people."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.records.services import two_persons
from pki import approvals as pki_approvals
from pki.approvals import ApprovalAction, Decision
from pki.operators.approvals import ApprovalView, approval
from siths_portal.lib.errors import Forbidden


def decide(*, actor: Actor, request_id: UUID, approve: bool, document_sha256: str, justification: str) -> None:
    """Records the actor's decision on a request whose document they saw. The actor's right must be older than the request
    (`two_persons`). Raises as `pki.approvals.decide`, and Forbidden, also for a ceremony: approvers sign its file instead.
    """
    policy.require_global(actor, Action.DECIDE_PKI)
    found = approval(request_id)
    two_persons.require_second(actor, Action.DECIDE_PKI, requested_by=found.requester_ref, requested_at=found.created_at)
    if found.action == ApprovalAction.CEREMONY:
        raise Forbidden("approval-by-signature", "En ceremoni godkänns genom att godkännarna skriver under filen, inte här.")
    with transaction.atomic(durable=True):
        pki_approvals.decide(
            request_id=request_id,
            approver_ref=actor.ref,
            decision=Decision.APPROVED if approve else Decision.REJECTED,
            document_sha256=document_sha256,
            justification=justification,
        )


def withdraw(*, actor: Actor, request_id: UUID) -> None:
    """Withdraws the actor's own request. Raises NotFound, Forbidden, Conflict."""
    policy.require_global(actor, Action.DECIDE_PKI)
    with transaction.atomic(durable=True):
        pki_approvals.withdraw(request_id=request_id, requester_ref=actor.ref)


def refusal(actor: Actor, request: ApprovalView) -> str:
    """Returns the reason, in Swedish, why the actor cannot decide this request. Returns an empty string if they can."""
    if request.action == ApprovalAction.CEREMONY:
        return "En ceremoni godkänns genom att godkännarna skriver under filen."
    if not request.is_open:
        return "Ärendet väntar inte på beslut."
    if request.decision_of(actor.ref):
        return "Du har redan lämnat ditt beslut. En annan person ska lämna nästa."
    return two_persons.refusal(actor, Action.DECIDE_PKI, requested_by=request.requester_ref, requested_at=request.created_at)
