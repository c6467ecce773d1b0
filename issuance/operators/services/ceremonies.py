"""Preparation of key ceremonies by operators: they upload a file and register its approvers' signatures."""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, Actor, policy
from issuance.records.services import uploads
from pki import ceremonies as pki_ceremonies


def propose(*, actor: Actor, content: bytes) -> UUID:
    """Stores a ceremony file for signing and returns its id. Raises as `pki.ceremonies.propose`, Forbidden, TooManyRequests."""
    policy.require_global(actor, Action.DECIDE_PKI)
    uploads.spend(actor)
    with transaction.atomic(durable=True):
        return pki_ceremonies.propose(content, actor_ref=actor.ref)


def sign(*, actor: Actor, proposal_id: UUID, signature: bytes) -> str:
    """Registers an approver's signature and returns the approver's name. The signature itself authenticates the approver.
    Raises as `pki.ceremonies.register_signature`, Forbidden, TooManyRequests.
    """
    policy.require_global(actor, Action.DECIDE_PKI)
    uploads.spend(actor)
    with transaction.atomic(durable=True):
        return pki_ceremonies.register_signature(proposal_id, signature, actor_ref=actor.ref)


def withdraw(*, actor: Actor, proposal_id: UUID) -> None:
    """Withdraws a proposed ceremony. Raises NotFound, Conflict, Forbidden."""
    policy.require_global(actor, Action.DECIDE_PKI)
    with transaction.atomic(durable=True):
        pki_ceremonies.withdraw_proposal(proposal_id, actor_ref=actor.ref)
