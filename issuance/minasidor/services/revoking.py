"""A holder revokes what is theirs (rules/issuance 10.3)."""

from uuid import UUID

from django.db import transaction

from authn import service as authn
from issuance.authz import Actor
from issuance.authz.actor import HOLDER_PREFIX, USER_PREFIX
from issuance.carriers.models import Carrier, Eid
from issuance.revocation.domain import Requester, RevocationReason
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import revocation
from issuance.revocation.services.revocation import RevocationRequest

REASONS: tuple[RevocationReason, ...] = (
    RevocationReason.LOST_OR_STOLEN,
    RevocationReason.SUSPECTED_MISUSE,
    RevocationReason.DAMAGED,
    RevocationReason.ASSIGNMENT_ENDED,
    RevocationReason.OTHER,
)
"""The reasons that a holder chooses among; the others are for officers."""

IN_OTHER_HANDS = frozenset({RevocationReason.LOST_OR_STOLEN, RevocationReason.SUSPECTED_MISUSE})
"""Reasons after which somebody else may be logged in as the holder, so all their other sessions end."""


@transaction.atomic(durable=True)
def revoke_own_carrier(*, actor: Actor, carrier_id: UUID, reason: str, justification: str, session_id: UUID) -> Carrier:
    """Revokes a carrier of the holder with all that is on it, and ends their other sessions if it may be in other hands.

    `session_id` is the holder's own, which stays. Raises as `revocation.revoke_carrier`.
    """
    done = revocation.revoke(actor=actor, carrier_id=carrier_id, request=_request(reason, justification))
    _end_others(actor, reason, session_id)
    return _not_held(done)


@transaction.atomic(durable=True)
def revoke_own_eid(*, actor: Actor, eid_id: UUID, reason: str, justification: str, session_id: UUID) -> Eid:
    """Revokes one eID of the holder, which leaves its carrier. Otherwise as `revoke_own_carrier`."""
    done = revocation.revoke_one_eid(actor=actor, eid_id=eid_id, request=_request(reason, justification))
    _end_others(actor, reason, session_id)
    return _not_held(done)


def ends_other_sessions(reason: str) -> bool:
    """True if a revocation for this reason ends the holder's other sessions, on both sites."""
    return reason in IN_OTHER_HANDS


def _request(reason: str, justification: str) -> RevocationRequest:
    return RevocationRequest(reason, justification=justification, requester=Requester.HOLDER.value)


def _end_others(actor: Actor, reason: str, session_id: UUID) -> None:
    if not ends_other_sessions(reason):
        return
    for prefix in (HOLDER_PREFIX, USER_PREFIX):
        authn.end_sessions(f"{prefix}{actor.person_id}", reason=authn.CARRIER_REVOKED, actor_ref=actor.ref, keep=session_id)


def _not_held[Row: (Carrier, Eid)](done: Row | HeldRevocation) -> Row:
    if isinstance(done, HeldRevocation):
        raise TypeError("only officers have a limit of revocations")
    return done
