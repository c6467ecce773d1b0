"""What a card supplier reads of its orders. Scope as everywhere: `visible_to` with the supplier's actor."""

from uuid import UUID

from issuance.authz import Action, client, policy
from issuance.domain.order_states import OrderState
from issuance.models import CardOrder
from siths_portal.lib.errors import DomainError, Gone, NotFound

_SHOWN = ("article", "customisation")
_UNFINISHED = frozenset({OrderState.ACCEPTED, OrderState.IN_PRODUCTION})


def own_orders(*, client_ref: str, state: OrderState, after: UUID | None, limit: int) -> list[CardOrder]:
    """At most `limit` of the supplier's own orders in `state`, oldest first, beyond the id `after`."""
    rows = CardOrder.objects.visible_to(client(client_ref), Action.SUPPLY).filter(state=state.value)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.select_related(*_SHOWN).order_by("pk")[:limit])


def photo_refusal(*, client_ref: str, order_id: UUID) -> DomainError:
    """Why there is no photo to give for the supplier's order: none belongs to it, or the card is produced (Gone).

    No order has a photo until photos are taken in; articles that need one cannot be ordered before. Raises NotFound for
    another's order.
    """
    order = policy.get(client(client_ref), Action.SUPPLY, CardOrder.objects.select_related("article"), order_id)
    if order.article.photo and order.state not in _UNFINISHED:
        return Gone("photo-gone", "Fotot lämnas bara ut tills kortet är tillverkat.")
    return NotFound("photo-none", "Beställningen har inget foto.")
