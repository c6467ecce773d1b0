"""The rules of an order whose card replaces another one (rules/issuance 3.14)."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from issuance.carriers.domain import carrier_states
from issuance.carriers.models import Carrier
from issuance.orders.domain.order_states import UNDER_WAY
from issuance.orders.domain.replacements import RULES, ReplacementReason, revoked_first
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.models.orders import CardOrder
from siths_portal.lib.errors import Conflict, Invalid


@dataclass(frozen=True)
class Replacement:
    """The card that an order replaces, and why."""

    carrier_id: UUID
    reason: ReplacementReason


def require_reason(code: str) -> str:
    """Returns the code if it is a reason for a replacement. Raises Invalid."""
    if code not in RULES:
        message = "Välj varför kortet ska ersättas."
        raise Invalid("replacement-reason", message, fields={"replacement_reason": [message]})
    return code


def of_draft(draft: OrderDraft, *, revocation_waits: bool) -> Replacement | None:
    """Returns what a complete draft replaces, or None. Raises Conflict if another order replaces the card, or if the card is to
    be revoked first and is neither revoked nor has a revocation that waits for a second officer.
    """
    carrier = draft.replaced_carrier
    if carrier is None:
        return None
    require_free(carrier.pk, but=own_key(draft))
    if to_revoke_first(draft) and not revocation_waits:
        raise Conflict("replaced-not-revoked", "Kortet som ska ersättas är inte spärrat. Spärra det innan du beställer.")
    return Replacement(carrier.pk, ReplacementReason(draft.replacement_reason))


def own_key(draft: OrderDraft) -> tuple[str, str]:
    """Returns reference and idempotency key of the order that the draft becomes."""
    return draft.owner_ref, str(draft.pk)


def to_revoke_first(draft: OrderDraft) -> bool:
    """Returns whether the card that the draft replaces is valid and is revoked before the order. False without a reason."""
    carrier = draft.replaced_carrier
    if carrier is None or not draft.replacement_reason or carrier.state in carrier_states.INVALID:
        return False
    return revoked_first(draft.replacement_reason, carrier.state)


def require_free(carrier_id: UUID, *, but: tuple[str, str] = ("", "")) -> None:
    """Raises Conflict if an order that has come to something replaces the card already, except the clerk's own of which `but` is
    reference and idempotency key. Of two orders at once the second waits for the lock of the person, which the caller holds.
    """
    if orders_of(carrier_id).exclude(ordered_by_ref=but[0], idempotency_key=but[1]).exists():
        message = "Ett nytt kort är redan beställt i stället för det här. Se personens sida."
        raise Conflict("card-already-replaced", message)


def orders_of(carrier_id: UUID | Any) -> QuerySet[CardOrder]:
    """Returns the orders that replace the card and have come to something: under way, or with a card that is not invalid.

    `carrier_id` may be an expression of an outer query.
    """
    valid = Carrier.objects.exclude(state__in=[state.value for state in carrier_states.INVALID]).values("pk")
    return CardOrder.objects.filter(Q(state__in=UNDER_WAY) | Q(items__carrier__in=valid), replaced_carrier=carrier_id)


def replaced_by(carrier_id: UUID) -> UUID | None:
    """Returns the card that the given one replaces by its order, or None."""
    found = CardOrder.objects.filter(items__carrier=carrier_id, replaced_carrier__isnull=False)
    return found.values_list("replaced_carrier", flat=True).first()
