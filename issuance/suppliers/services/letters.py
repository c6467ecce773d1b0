"""The PUK of a letter, from the supplier's request until it is handed out, once (S24, rules/issuance 3.12).

The event of the request is committed before the `pki` worker opens the PUK. What it makes opens with the key of the supplier's
`letter` certificate only.
"""

import datetime as dt
from uuid import UUID

from django.db import transaction

from issuance.authz import Action, client
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.references import carrier_ref
from issuance.orders.domain.items import LETTER, ItemAction, ItemState
from issuance.orders.models.orders import OrderItem
from issuance.orders.services import progress
from issuance.records.models.events import Event
from issuance.suppliers.services.item_rows import ItemRows, lock_item, require_accepted
from issuance.suppliers.services.supplier_events import replay_parked
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Gone, NotFound

_UNDER_WAY = ("requested", "ready")
_AGAIN = dt.timedelta(minutes=1)
"""After this time a call asks the worker again for a PUK that it refused."""


def read_puk(*, client_ref: str, order_id: UUID, seconds: float) -> str | None:
    """Returns the PUK of a letter as a JWE, once: then the letter is in production and the JWE is erased. The first call asks the
    worker for it. Returns None if the worker needs more than `seconds`; the next call continues. Not inside a transaction.

    Raises NotFound (another supplier's order; no letter), Conflict (order not accepted or withdrawn; card not active; the PUK
    cannot be delivered now), Gone (handed out, or the letter has ended), TooManyRequests (deliveries of the card's PUK in a day).
    """
    pki.wait_for_delivery(_request(client_ref, order_id), seconds=seconds)
    return _hand_out(client_ref, order_id)


@transaction.atomic(durable=True)
def _request(client_ref: str, order_id: UUID) -> UUID:
    """Returns the id of the delivery under way, or of one that was refused just now, or requests one."""
    rows = _lock(client_ref, order_id)
    item, card = rows.item, rows.item.subject_card
    known = pki.delivery(item.puk_delivery_id) if item.puk_delivery_id else None
    if known is not None and (known.state in _UNDER_WAY or known.created_at > clock.now() - _AGAIN):
        return known.id
    if card.puk_secret_id is None:
        raise Conflict("carrier-revoked", "Portalen har inte kortets upplåsningskod längre. Rapportera delen som misslyckad.")
    actor_ref = client(client_ref).ref
    item.puk_delivery_id = pki.plan_letter(
        secret_id=card.puk_secret_id,
        order=str(item.order_id),
        item=str(item.number),
        owner_ref=carrier_ref(card.pk),
        actor_ref=actor_ref,
    )
    item.save(update_fields=["puk_delivery_id"])
    _record(actor_ref, "order.puk_requested", item)
    return item.puk_delivery_id


@transaction.atomic(durable=True)
def _hand_out(client_ref: str, order_id: UUID) -> str | None:
    rows = _lock(client_ref, order_id)
    item = rows.item
    known = item.puk_delivery_id
    if known is not None and pki.delivery(known).state == "requested":
        return None
    jwe = pki.take_delivery(known) if known is not None else None
    if jwe is None:
        message = "Upplåsningskoden kan inte lämnas ut nu. Försök igen senare, och kontakta portalens drift om felet består."
        raise Conflict("puk-not-deliverable", message)
    actor_ref = client(client_ref).ref
    _record(actor_ref, "order.puk_delivered", item)
    facts = {"delivery": str(item.puk_delivery_id)}
    progress.step_items(rows.order, [item], ItemAction.START_PRODUCTION, actor_ref=actor_ref, facts=facts)
    replay_parked(client(client_ref), rows)
    return jwe


def _lock(client_ref: str, order_id: UUID) -> ItemRows:
    """Locks the only item of the order, which is a letter whose PUK was not handed out. Raises as `read_puk`."""
    rows = lock_item(client(client_ref), Action.SUPPLY, order_id)
    require_accepted(rows.order)
    if rows.item.kind != LETTER.code:
        raise NotFound("puk-none", "Beställningen gäller inget brev med upplåsningskod.")
    if rows.item.state != ItemState.WAITING:
        raise Gone("puk-gone", "Upplåsningskoden är redan utlämnad, eller så är brevet avslutat. Begär att brevet görs om.")
    if rows.item.subject_card.state != CarrierState.ACTIVE:
        raise Conflict("carrier-revoked", "Kortet är inte aktivt längre. Rapportera beställningen som misslyckad.")
    return rows


def _record(actor_ref: str, action: str, item: OrderItem) -> None:
    facts = {"item": item.number, "delivery": str(item.puk_delivery_id), "puk_of": str(item.puk_of_id)}
    Event.record(actor_ref=actor_ref, action=action, subject_type="order", subject_ref=str(item.order_id), facts=facts)
