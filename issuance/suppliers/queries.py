"""A card supplier's view of its orders, scoped by `visible_to` with the supplier's actor."""

from uuid import UUID

from issuance.authz import Action, client
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.suppliers.services import puks

_SHOWN = ("article", "customisation", "photo")


def own_orders(*, client_ref: str, state: OrderState, after: UUID | None, limit: int) -> list[CardOrder]:
    """Returns at most `limit` of the supplier's orders in `state`, the oldest first, after the id `after`, with their PUKs'
    present states.
    """
    rows = CardOrder.objects.with_card().visible_to(client(client_ref), Action.SUPPLY).filter(state=state.value)
    if after is not None:
        rows = rows.filter(pk__gt=after)
    found = list(rows.select_related(*_SHOWN).order_by("pk")[:limit])
    puks.show_present_state(found)
    return found
