"""Changes of a CA's state by operators: one requests, another approves, one executes."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from pki import authorities


def request_state_change(*, actor: Actor, slug: str, generation: int, target: str, justification: str) -> UUID:
    """Requests a change of a CA's state and returns the id of the request. Raises as `pki.authorities.plan_state_change`, and
    Forbidden.
    """
    policy.require_global(actor, Action.CHANGE_CA_STATE)
    with transaction.atomic(durable=True):
        request = authorities.plan_state_change(
            slug=slug, generation=generation, target=target, justification=justification, requester_ref=actor.ref
        )
    return request.id


def carry_out_state_change(*, actor: Actor, request_id: UUID) -> tuple[str, int]:
    """Executes the approved change and returns the CA's slug and generation. Raises as
    `pki.authorities.carry_out_state_change`, and Forbidden.
    """
    policy.require_global(actor, Action.CHANGE_CA_STATE)
    ca = authorities.carry_out_state_change(request_id=request_id, actor_ref=actor.ref)
    return ca.slug, ca.generation
