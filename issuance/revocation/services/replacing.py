"""Ersätt kort: revokes a card that is replaced, before the order or by the new card's activation (rules/issuance 3.14)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypedDict, Unpack
from uuid import UUID

from issuance.authz import Actor, system
from issuance.carriers.domain import carrier_states
from issuance.carriers.models import Carrier
from issuance.orders.domain.drafts import DraftState
from issuance.orders.domain.replacements import RULES, ReplacementReason
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import draft_steps, drafts, replacement_checks
from issuance.revocation.domain import RevocationReason
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import revocation, revocation_limit
from siths_portal.lib.errors import Invalid

ACTOR = system("replacement")
"""The rule that revokes a card when the one that replaces it is activated."""

REVOKED_AS: Mapping[ReplacementReason, RevocationReason] = {
    ReplacementReason.LOST: RevocationReason.LOST_OR_STOLEN,
    ReplacementReason.DAMAGED: RevocationReason.DAMAGED,
    ReplacementReason.CHANGED_DETAILS: RevocationReason.CHANGED_DETAILS,
}
"""The reason for the revocation of a card that is revoked before the order. An activation revokes as REPLACED."""

_ORIGIN_MISSING = {"requester": "Välj vem som begärde spärren.", "channel": "Välj hur begäran kom in."}


class Origin(TypedDict, total=False):
    """The origin of the request for the revocation, as in `revocation.RevocationRequest`."""

    requester: str
    requester_name: str
    channel: str


@dataclass(frozen=True)
class Ordered:
    """The order of a card. `waits` means that the revocation of the card that it replaces waits for a second officer."""

    order: CardOrder
    waits: bool


def order(
    *,
    actor: Actor,
    draft_id: UUID,
    version: int,
    confirmed_cards: Collection[UUID],
    photo_id: UUID | None,
    **origin: Unpack[Origin],
) -> Ordered:
    """Beställ: turns the draft into an order as `drafts.submit`. Before that, in a transaction of its own, revokes the card that
    the new one replaces if its reason or state demands it.

    A revocation is urgent: it stays also if the order then fails, and the repeated order does not revoke again. A card that
    somebody else may have is revoked even if another order replaces it. Above the officer's limit the revocation waits for a
    second officer, and the card is ordered. Raises as `drafts.submit`, and before both Conflict if another order replaces a card
    that its holder has, Invalid (origin, by field), NotFound, Forbidden.
    """
    draft = draft_steps.get(actor=actor, draft_id=draft_id)
    carrier_id, waits = draft.replaced_carrier_id, False
    if carrier_id is not None and draft.state == DraftState.OPEN and replacement_checks.to_revoke_first(draft):
        draft_steps.require_version(draft, version)  # what the page showed, since a revocation cannot be undone
        reason = ReplacementReason(draft.replacement_reason)
        if not RULES[reason].at_once:
            replacement_checks.require_free(carrier_id, but=replacement_checks.own_key(draft))
        waits = _revoke(actor, carrier_id, reason, origin)
    made = drafts.submit(
        actor=actor,
        draft_id=draft_id,
        version=version,
        confirmed_cards=confirmed_cards,
        photo_id=photo_id,
        revocation_waits=waits,
    )
    return Ordered(made, waits)


def _revoke(actor: Actor, carrier_id: UUID, reason: ReplacementReason, origin: Origin) -> bool:
    """Revokes the card. Returns whether its revocation waits for a second officer. Raises Invalid without a complete origin."""
    if missing := {name: [text] for name, text in _ORIGIN_MISSING.items() if not origin.get(name)}:
        raise Invalid("origin-missing", next(iter(missing.values()))[0], fields=missing)
    if revocation_limit.waits_for_whole(carrier_id):
        return True
    done = revocation.revoke_carrier(actor=actor, carrier_id=carrier_id, reason=REVOKED_AS[reason], **origin)
    return isinstance(done, HeldRevocation)


def revoke_replaced(new: Carrier, old: Carrier) -> None:
    """Revokes the locked card that the newly activated one replaces, if it is still valid, in the activation's transaction."""
    if old.state not in carrier_states.INVALID:
        revocation.revoke_locked([old], actor=ACTOR, reason=RevocationReason.REPLACED, replaced_by=new.pk)
