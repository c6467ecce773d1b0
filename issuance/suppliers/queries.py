"""A card supplier's view of its orders and changes, scoped by `visible_to` with the supplier's actor."""

from uuid import UUID

from issuance.authz import Action, client
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import CardOrder
from issuance.suppliers.models import SupplierChange
from issuance.suppliers.services import puks
from siths_portal.lib.database import feeds
from siths_portal.lib.errors import Invalid

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


def changes_after(*, client_ref: str, number: int, limit: int) -> list[SupplierChange]:
    """Returns at most `limit` of the supplier's changes after the change `number` (0: from the first), in feed order and older
    than any running transaction, so that none is skipped. Raises Invalid if the supplier has no such change.
    """
    own = SupplierChange.objects.visible_to(client(client_ref), Action.SUPPLY)
    cursor = feeds.START
    if number:
        last = own.filter(pk=number).first()
        if last is None:
            message = "Ange numret på en ändring ur ett tidigare svar, eller 0."
            raise Invalid("change-unknown", message, fields={"after": [message]})
        cursor = feeds.cursor_of(last)
    return list(feeds.after(own.select_related("customisation"), cursor)[:limit])
