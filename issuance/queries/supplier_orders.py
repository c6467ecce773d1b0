"""What a card supplier reads of its orders. Scope as everywhere: `visible_to` with the supplier's actor."""

from uuid import UUID

from issuance.authz import Action, client, policy
from issuance.domain.order_states import OrderState
from issuance.models import CardOrder, Document
from siths_portal.lib.errors import Gone, NotFound

_SHOWN = ("article", "customisation", "photo")
_UNFINISHED = frozenset({OrderState.ACCEPTED, OrderState.IN_PRODUCTION})


def own_orders(*, client_ref: str, state: OrderState, after: UUID | None, limit: int) -> list[CardOrder]:
    """At most `limit` of the supplier's own orders in `state`, oldest first, beyond the id `after`."""
    rows = CardOrder.objects.visible_to(client(client_ref), Action.SUPPLY).filter(state=state.value)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    return list(rows.select_related(*_SHOWN).order_by("pk")[:limit])


def photo(*, client_ref: str, order_id: UUID) -> Document:
    """The photo (JPEG) for the card of the supplier's own order, until the card is produced.

    Raises NotFound for another's order or one without photo, Gone once the card is produced or given up.
    """
    rows = CardOrder.objects.select_related("photo__document")
    order = policy.get(client(client_ref), Action.SUPPLY, rows, order_id)
    if order.photo is None or order.photo.document is None:
        raise NotFound("photo-none", "Beställningen har inget foto.")
    if order.state not in _UNFINISHED:
        raise Gone("photo-gone", "Fotot lämnas bara ut tills kortet är tillverkat.")
    return order.photo.document
