"""What happens to a card in stock: missing, found, damaged, lost (rules/issuance 3.13). The last two revoke it at once."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from issuance.authz import Actor, policy
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.records.services import steps
from issuance.revocation.domain import RevocationReason
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import revocation
from issuance.revocation.services.revocation import RevocationRequest
from issuance.stock.domain import FOLLOWING, HELD, StockAction, StockState
from issuance.stock.models import StockCard
from issuance.stock.services import offices, receiving
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

SYSTEM = "system:stock"
"""The actor of what follows from an act elsewhere, whose own event names the person."""

REASONS: Mapping[StockAction, RevocationReason] = {
    StockAction.DAMAGE: RevocationReason.DAMAGED,
    StockAction.LOSE: RevocationReason.LOST_OR_STOLEN,
}
"""Why the carrier is revoked by an action that writes its card off."""


def usable() -> Q:
    """Selects the cards that can be handed out: in stock by both states, and not past their end."""
    return Q(state=StockState.IN_STOCK.value, carrier__state=CarrierState.IN_STOCK.value, valid_to__gt=clock.now())


@transaction.atomic(durable=True)
def change_card(*, actor: Actor, card_id: UUID, action: str) -> HeldRevocation | None:
    """Applies MISS, FIND, DAMAGE or LOSE to a card of an office whose stock the actor keeps. DAMAGE and LOSE revoke the carrier.

    Above the officer's limit of revocations the card is written off and its revocation waits for a second officer; then returns
    the held request (ADR 0297). Raises NotFound, Forbidden, Invalid (unknown action), IllegalTransition.
    """
    seen = card_of(actor, card_id)
    if action not in StockAction or StockAction(action) in FOLLOWING:
        message = "Välj vad som har hänt med kortet."
        raise Invalid("unknown-action", message, fields={"action": [message]})
    chosen = StockAction(action)
    carrier = offices.lock_carriers([seen.carrier_id])[seen.carrier_id]
    (card,) = offices.lock_cards([carrier.pk])
    if chosen is StockAction.FIND and carrier.state == CarrierState.SENT:
        receiving.receive_missing(actor, card, carrier)
        return None
    steps.step([card], chosen, actor_ref=actor.ref, facts={"office": str(card.office_id)})
    if reason := REASONS.get(chosen):
        done = revocation.revoke_allowed(carrier, actor=actor, request=RevocationRequest(reason.value))
        return done if isinstance(done, HeldRevocation) else None
    return None


def card_of(actor: Actor, card_id: UUID) -> StockCard:
    """Returns a card of an office whose stock the actor keeps. Raises NotFound, Forbidden."""
    rows = StockCard.objects.select_related("office", "carrier__article").defer("carrier__card_key_spki")
    found = rows.filter(pk=card_id).first()
    # The id of an unknown card is the id of no office: the same queries refuse it as a card that the actor may not see.
    offices.require_office(actor, found.office_id if found else card_id)
    if found is None:
        raise policy.not_found()
    return found


def end_with_carriers(carrier_ids: Sequence[UUID], only_eid: bool) -> None:
    """Ends the stock cards of revoked carriers, in the revocation's transaction. A card that was written off stays so."""
    if only_eid:
        return
    held = [card for card in offices.lock_cards(carrier_ids) if card.state in HELD]
    steps.step(held, StockAction.END, actor_ref=SYSTEM)
