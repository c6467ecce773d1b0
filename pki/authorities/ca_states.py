"""Changes of a CA's state under dual control (rules/pki 7.1): requested, approved by another person, carried out once.

A retired CA issues no more and publishes status until its last certificate has expired. A compromised CA publishes nothing,
because its signatures cannot be trusted; its own certificate is revoked at a ceremony.
"""

from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from pki.approvals import dual_control
from pki.domain.ca_states import TRANSITIONS, may_become
from pki.models import (
    ApprovalAction,
    ApprovalRequest,
    ApprovalState,
    CaImport,
    CaState,
    CertificateAuthority,
    Event,
    ImportState,
)
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, IllegalTransition, Invalid, NotFound
from siths_portal.lib.processes import jobs

LONGEST_JUSTIFICATION = 1000


def target_states(state: str) -> tuple[str, ...]:
    """Returns the states that a CA in `state` may change to."""
    return TRANSITIONS.get(state, ())


@transaction.atomic
def plan_state_change(*, slug: str, generation: int, target: str, justification: str, requester_ref: str) -> ApprovalRequest:
    """Requests approval of another state. Raises NotFound, IllegalTransition, Invalid, and Conflict if a request exists."""
    if not 0 < len(justification.strip()) <= LONGEST_JUSTIFICATION:
        reason = f"Skriv varför, högst {LONGEST_JUSTIFICATION} tecken."
        raise Invalid("ca-state-justification", reason, fields={"justification": [reason]})
    ca = locked(slug, generation)
    check(ca, target)
    if asked := _asked(ca):
        raise asked
    document = {
        "slug": slug,
        "generation": generation,
        "common_name": ca.common_name,
        "certificate_sha256": sha256_hex(bytes(ca.certificate_der)),
        "from": ca.state,
        "to": target,
        "justification": justification.strip(),
    }
    summary = f"{ca.common_name}: från {ca.state} till {target}"
    return dual_control.request(action=ApprovalAction.CA_STATE, summary=summary, document=document, requester_ref=requester_ref)


def carry_out_state_change(*, request_id: UUID, actor_ref: str) -> CertificateAuthority:
    """Carries out the approved change. Raises NotFound, IllegalTransition, Conflict if it is not approved, used or too old."""
    with transaction.atomic(durable=True):
        asked = ApprovalRequest.objects.filter(id=request_id, action=ApprovalAction.CA_STATE).first()
        if asked is None:
            raise NotFound("approval-unknown", "Ärendet finns inte.")
        document = asked.document
        dual_control.use(request_id=request_id, action=ApprovalAction.CA_STATE, document=document, actor_ref=actor_ref)
        ca = locked(document["slug"], document["generation"])
        if ca.state != document["from"] or sha256_hex(bytes(ca.certificate_der)) != document["certificate_sha256"]:
            raise Conflict("ca-state-changed", "Utfärdaren är inte längre som när ändringen begärdes. Begär ändringen igen.")
        facts = {"approval": str(request_id), "why": document["justification"]}
        apply(ca, document["to"], actor_ref=actor_ref, facts=facts, approval=request_id)
    return ca


def locked(slug: str, generation: int) -> CertificateAuthority:
    """Returns the CA, locked until the caller's transaction ends. Raises NotFound."""
    found = next(iter(CertificateAuthority.objects.raw("SELECT * FROM pki_lock_authority(%s, %s)", [slug, generation])), None)
    if found is None:
        raise NotFound("ca-unknown", "Utfärdaren finns inte.")
    return found


def check(ca: CertificateAuthority, target: str) -> None:
    """Raises IllegalTransition unless the CA may change to the state now, and Conflict if it has no certificate."""
    if not may_become(ca.state, target):
        allowed = ", ".join(target_states(ca.state)) or "inget annat"
        raise IllegalTransition("ca-state", f"En utfärdare som är {ca.state} kan inte bli {target}; den kan bli {allowed}.")
    if unfinished := _unfinished(ca):
        raise unfinished


def obstacle(ca: CertificateAuthority) -> str:
    """Returns in Swedish why `plan_state_change` would refuse any change of this CA now, or an empty text if it would not."""
    if not target_states(ca.state):
        return f"En utfärdare som är {ca.state} kan inte bli något annat."
    refusal = _unfinished(ca) or _asked(ca)
    return refusal.message if refusal else ""


def waits_for(slug: str, generation: int) -> Q:
    """A condition for requests for another state of the CA that are not yet decided, or not yet carried out."""
    about = Q(action=ApprovalAction.CA_STATE, document__slug=slug, document__generation=generation)
    return about & Q(state__in=[ApprovalState.OPEN, ApprovalState.APPROVED], expires_at__gt=clock.now())


def _unfinished(ca: CertificateAuthority) -> Conflict | None:
    if not ca.certificate_der:
        return Conflict("ca-without-certificate", "Utfärdaren har inget certifikat än; ceremonin är inte klar.")
    if CaImport.objects.filter(ca=ca).exclude(state=ImportState.FINISHED).exists():
        return Conflict("ca-import-unfinished", "Importen av utfärdaren är inte klar.")
    return None


def _asked(ca: CertificateAuthority) -> Conflict | None:
    if ApprovalRequest.objects.filter(waits_for(ca.slug, ca.generation)).exists():
        return Conflict("ca-state-asked", "Ett annat ärende om utfärdarens tillstånd är inte avslutat.")
    return None


def apply(ca: CertificateAuthority, target: str, *, actor_ref: str, facts: dict[str, Any], approval: UUID | None = None) -> None:
    """Changes the state of a locked CA, in the caller's transaction, and queues the work that follows. Raises as `check`.

    With `approval`, which was used in this transaction, any process may call it: the database compares. Without it, only the
    process with the token may, and the caller is responsible for the approval.
    """
    check(ca, target)
    before, ca.state = ca.state, CaState(target)
    if approval is None:
        ca.save(update_fields=["state"])
    else:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pki_set_ca_state(%s, %s)", [ca.id, approval])
    Event.record(
        actor_ref=actor_ref,
        action="authority.state_changed",
        subject_type="certificate_authority",
        subject_ref=str(ca.id),
        facts={"slug": ca.slug, "generation": ca.generation, "from": before, "to": target} | facts,
    )
    # A CA that comes online may lack a current CRL or responder.
    jobs.enqueue("pki.renew_responders", queue="pki")
    jobs.enqueue("pki.publish_due_crls", queue="pki")
