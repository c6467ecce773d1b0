"""Cards and letters that a supplier spoils before it sends them, and makes again.

The supplier's process may not order anything. So its call ends the spoilt card, and a worker adds the item that replaces it.
"""

from uuid import UUID

from django.db import transaction

from issuance.authz import Action, client
from issuance.carriers.domain.carrier_states import INVALID, CarrierState
from issuance.orders.domain.items import Fault, ItemState
from issuance.orders.models.orders import OrderItem
from issuance.orders.services import remaking
from issuance.suppliers.domain import EventOutcome, Remade
from issuance.suppliers.models import SupplierEvent
from issuance.suppliers.services import applying
from issuance.suppliers.services.item_rows import lock_item, require_accepted
from issuance.suppliers.services.supplier_events import replay_parked
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.processes import jobs

ACTOR = "system:remake"
_TASK = "issuance.add_remade_items"
_REFUSALS = {
    ItemState.WAITING: ("item-not-begun", "Inga certifikat är begärda för delen. Använd ett annat kort utan att göra om den."),
    ItemState.SENT: (
        "item-sent",
        "Kortet är skickat. Kommer det i retur kan den som beställde begära att det görs om.",
    ),
    ItemState.RETURNED: ("item-sent", "Kortet kom i retur. Bara den som beställde kan begära att det görs om."),
    ItemState.FAILED: ("item-ended", "Delen är rapporterad som misslyckad. Den görs inte om."),
    ItemState.CANCELLED: ("item-ended", "Delen är borttagen. Den görs inte om."),
}


@transaction.atomic(durable=True)
def request_remake(*, client_ref: str, order_id: UUID, item: int, reason: str, fault: Fault) -> int:
    """Ends an item that the supplier spoilt before it was sent, revokes its certificates, and has another item added in its
    place. Returns the number of that item, which a worker adds after the commit. The same call returns the same number.

    Raises NotFound, Invalid, Conflict (order not accepted or withdrawn; item not begun, sent or ended; card revoked; another
    reason or fault than before).
    """
    actor = client(client_ref)
    asked = Remade(reason, fault)
    if faults := asked.faults():
        raise Invalid("remake", "Begäran uppfyller inte reglerna. Rätta de fält som anges.", fields=faults)
    rows = lock_item(actor, Action.SUPPLY, order_id, item)
    require_accepted(rows.order)
    content = sha256_hex(canonical_json(asked.content()))
    known = SupplierEvent.objects.filter(item=rows.item, kind=asked.kind).first()
    if known is not None:
        if known.content_sha256 != content:
            raise Conflict("event-mismatch", "Delen görs redan om, med andra uppgifter.")
        return int(known.payload["number"])
    replay_parked(actor, rows)
    if refusal := _REFUSALS.get(ItemState(rows.item.state)):
        raise Conflict(*refusal)
    if rows.item.subject_card.state in INVALID or (rows.made is not None and rows.made.state != CarrierState.ORDERED):
        raise Conflict("carrier-revoked", "Kortet är spärrat. Gör inget nytt, utan rapportera delen som misslyckad.")
    number = remaking.next_number(rows.order)
    remaking.give_up(rows.item, actor_ref=actor.ref, reason=reason, fault=fault)
    applying.end_piece(actor, rows)
    now = clock.now()
    SupplierEvent.objects.create(
        item=rows.item,
        kind=asked.kind,
        status=EventOutcome.APPLIED.value,
        content_sha256=content,
        payload={**asked.content(), "number": number},
        received_at=now,
        applied_at=now,
    )
    replay_parked(actor, rows)  # they can never apply now
    jobs.enqueue(_TASK)
    return number


def add_items() -> int:
    """Adds the item for each that is made again and has no successor yet, in a transaction each. Returns how many it added."""
    waiting = OrderItem.objects.current().filter(state=ItemState.REMADE.value).order_by("pk").values_list("pk", flat=True)
    return sum(_add(pk) for pk in list(waiting))


@transaction.atomic(durable=True)
def _add(pk: int) -> bool:
    items = OrderItem.objects.select_for_update(of=("self", "order"), no_key=True).select_related("order", "carrier", "eid")
    old = items.get(pk=pk)
    if OrderItem.objects.filter(replaces=old).exists():
        return False
    asked = SupplierEvent.objects.get(item=old, kind=Remade.kind).payload
    fault, reason = Fault(asked["fault"]), asked["reason"]
    remaking.add_successor(old, number=asked["number"], actor_ref=ACTOR, reason=reason, fault=fault)
    return True
