"""What operators of the PKI do: look for certificates, decide what others asked for, ask for changes.

One person alone changes nothing: `pki.approvals.dual_control` sees to that.
"""

import datetime as dt
from typing import Any
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.operators.models import CertificateSearch
from issuance.records.models.events import Event
from issuance.records.services import handles, two_persons, uploads
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden


@transaction.atomic(durable=True)
def search_certificates(
    *,
    actor: Actor,
    session_id: UUID,
    text: str = "",
    ca: tuple[str, int] | None = None,
    profile: str = "",
    status: str = "",
    expires_from: dt.datetime | None = None,
    expires_before: dt.datetime | None = None,
) -> CertificateSearch:
    """Keeps a search for certificates as a handle of the actor's session. Raises Invalid, Forbidden.

    The event says which fields were used, and holds no number: what the search shows tells of no holder.
    """
    policy.require_global(actor, Action.VIEW_PKI)
    wanted = pki.certificate_criteria(
        text=text, ca=ca, profile=profile, status=status, expires_from=expires_from, expires_before=expires_before
    )
    row = CertificateSearch.objects.create(
        owner_ref=actor.ref,
        session_id=session_id,
        form=_as_typed(wanted, text, ca, expires_from, expires_before),
        criteria=wanted.as_json(),
        created_at=clock.now(),
    )
    Event.record(
        actor_ref=actor.ref,
        action="certificate_search.made",
        subject_type="certificate_search",
        subject_ref=str(row.id),
        facts={"fields": sorted(wanted.as_json())},
    )
    return row


def _as_typed(
    wanted: pki.CertificateCriteria,
    text: str,
    ca: tuple[str, int] | None,
    expires_from: dt.datetime | None,
    expires_before: dt.datetime | None,
) -> dict[str, str]:
    """The form's values to be shown again. Of a whole certificate its hash alone is kept, since it tells of its holder."""
    first = expires_from.astimezone(clock.STOCKHOLM).date() if expires_from else None
    last = (expires_before - dt.timedelta(microseconds=1)).astimezone(clock.STOCKHOLM).date() if expires_before else None
    return {
        "text": wanted.sha256 or text.strip(),
        "ca": f"{ca[0]}:{ca[1]}" if ca else "",
        "profile": wanted.profile,
        "status": wanted.status,
        "expires_from": first.isoformat() if first else "",
        "expires_to": last.isoformat() if last else "",
    }


def own_search(*, actor: Actor, session_id: UUID, search_id: UUID) -> CertificateSearch:
    """The actor's search of this session. Raises NotFound for any other, Forbidden."""
    policy.require_global(actor, Action.VIEW_PKI)
    return handles.own(CertificateSearch.objects.all(), actor=actor, session_id=session_id, handle_id=search_id)


def decide(*, actor: Actor, request_id: UUID, approve: bool, document_sha256: str, justification: str) -> None:
    """Records the actor's decision on a request whose document they saw. Raises as `pki.approvals.dual_control.decide`, and
    Forbidden.

    The actor's right must be older than the request (`two_persons`).

    A ceremony is approved by signing its file, and not here.
    """
    policy.require_global(actor, Action.DECIDE_PKI)
    found = pki.approval(request_id)
    two_persons.require_second(actor, Action.DECIDE_PKI, asked_by=found.requester_ref, asked_at=found.created_at)
    if found.action == pki.ApprovalAction.CEREMONY:
        raise Forbidden("approval-by-signature", "En ceremoni godkänns genom att godkännarna signerar filen, inte här.")
    with transaction.atomic(durable=True):
        pki.decide_approval(
            request_id=request_id,
            approver_ref=actor.ref,
            decision=pki.Decision.APPROVED if approve else pki.Decision.REJECTED,
            document_sha256=document_sha256,
            justification=justification,
        )


def withdraw(*, actor: Actor, request_id: UUID) -> None:
    """Takes back what the actor asked for. Raises NotFound, Forbidden, Conflict."""
    policy.require_global(actor, Action.DECIDE_PKI)
    with transaction.atomic(durable=True):
        pki.withdraw_approval(request_id=request_id, requester_ref=actor.ref)


def ask_for_ca_state(*, actor: Actor, slug: str, generation: int, target: str, justification: str) -> UUID:
    """Asks for another state of a CA, and returns the matter's id. Raises as `pki.authorities.ca_states.plan_change`, and
    Forbidden.
    """
    policy.require_global(actor, Action.CHANGE_CA_STATE)
    with transaction.atomic(durable=True):
        asked = pki.plan_ca_state(
            slug=slug, generation=generation, target=target, justification=justification, requester_ref=actor.ref
        )
    return asked.id


def carry_out_ca_state(*, actor: Actor, request_id: UUID) -> tuple[str, int]:
    """Makes the change that was approved, and returns the CA's slug and generation. Raises as `pki.authorities.ca_states`,
    Forbidden.
    """
    policy.require_global(actor, Action.CHANGE_CA_STATE)
    ca = pki.carry_out_ca_state(request_id=request_id, actor_ref=actor.ref)
    return ca.slug, ca.generation


def propose_ceremony(*, actor: Actor, content: bytes) -> UUID:
    """Takes a ceremony file to be signed. Raises as `pki.ceremonies.proposals.propose`, Forbidden, TooManyRequests."""
    policy.require_global(actor, Action.DECIDE_PKI)
    uploads.spend(actor)
    with transaction.atomic(durable=True):
        return pki.propose_ceremony(content, actor_ref=actor.ref)


def sign_ceremony(*, actor: Actor, proposal_id: UUID, signature: bytes) -> str:
    """Registers an approver's signature, which proves itself, and returns the approver's name. Raises as
    `pki.ceremonies.proposals.register_signature`, Forbidden, TooManyRequests.
    """
    policy.require_global(actor, Action.DECIDE_PKI)
    uploads.spend(actor)
    with transaction.atomic(durable=True):
        return pki.register_ceremony_signature(proposal_id, signature, actor_ref=actor.ref)


def withdraw_proposal(*, actor: Actor, proposal_id: UUID) -> None:
    """Takes a proposed ceremony back. Raises NotFound, Conflict, Forbidden."""
    policy.require_global(actor, Action.DECIDE_PKI)
    with transaction.atomic(durable=True):
        pki.withdraw_proposal(proposal_id, actor_ref=actor.ref)


def refusal(actor: Actor, request: Any) -> str:
    """Why the actor cannot decide this request; empty if he can. `request` is a `pki.service.ApprovalView`."""
    if request.action == pki.ApprovalAction.CEREMONY:
        return "En ceremoni godkänns genom att godkännarna signerar filen."
    if not request.is_open:
        return "Ärendet väntar inte på beslut."
    if request.decision_of(actor.ref):
        return "Du har redan lämnat ditt beslut. En annan person ska lämna nästa."
    return two_persons.refusal(actor, Action.DECIDE_PKI, asked_by=request.requester_ref, asked_at=request.created_at)
