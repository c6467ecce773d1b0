"""The eIDs that are ordered for a holder to fetch, as Mina sidor shows them."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import EidOrderKind
from issuance.carriers.models import Eid
from issuance.minasidor.domain import MyFunction
from issuance.orders.domain.eid_order_states import EidOrderState
from issuance.orders.models.eid_orders import EidOrder
from issuance.orders.services import eid_orders
from issuance.records.domain import wording
from siths_portal.lib import clock


@dataclass(frozen=True)
class OwnOrder:
    """An ordered eID. `last` are the last digits of its card, `fetch_by` the last day to fetch it; `renews` means that it
    replaces the one that the card has. `function` is what a log-in needs to fetch it.
    """

    id: UUID
    organisation: str
    last: str
    renews: bool
    fetched: bool
    fetch_by: dt.date | None
    function: MyFunction


def waiting(actor: Actor) -> list[OwnOrder]:
    """Returns the holder's orders that can be fetched now, those whose time ends first on top."""
    rows = EidOrder.objects.visible_to(actor, Action.FETCH_EID).filter(state=EidOrderState.ORDERED.value)
    rows = rows.filter(expires_at__gt=clock.now()).select_related("organisation", "carrier").defer("carrier__card_key_spki")
    return [_order(row) for row in rows.order_by("expires_at", "id")]


def own_order(actor: Actor, order_id: UUID) -> OwnOrder:
    """Returns one of the holder's orders in any state. Raises NotFound, also for another person's."""
    rows = EidOrder.objects.select_related("organisation", "carrier").defer("carrier__card_key_spki")
    return _order(policy.get(actor, Action.FETCH_EID, rows, order_id))


def _order(row: EidOrder) -> OwnOrder:
    return OwnOrder(
        id=row.pk,
        organisation=row.organisation.name,
        last=row.carrier.card_serial[-4:],
        renews=row.replaces_id is not None,
        fetched=row.state == EidOrderState.FETCHED,
        fetch_by=wording.last_day(row.expires_at),
        function=MyFunction.EXTEND_RESERVE_CARD if row.kind == EidOrderKind.EXTENSION else MyFunction.FETCH_NEW,
    )


def extendable(actor: Actor, carrier_id: UUID) -> UUID | None:
    """Returns the eID that the holder may extend on a reserve card of theirs, or None. An extension that waits to be fetched is
    continued in the same way.
    """
    rows = Eid.objects.visible_to(actor, Action.FETCH_EID).filter(carrier=carrier_id, state=EidState.ACTIVE.value)
    rows = rows.select_related("carrier").defer("carrier__card_key_spki")
    return next((row.pk for row in rows.order_by("-valid_to") if eid_orders.is_extendable(row)), None)
