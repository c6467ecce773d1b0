"""Receiving bundles: what the supplier sent becomes an office's stock, whole or card by card (rules/issuance 3.13)."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from issuance.authz import Actor, policy
from issuance.carriers.domain.carrier_states import CarrierAction, CarrierState
from issuance.carriers.models import Carrier
from issuance.orders.domain import items
from issuance.orders.domain.items import ItemState
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.records.services import steps
from issuance.stock.domain import StockAction, StockState
from issuance.stock.models import StockCard
from issuance.stock.services import offices
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict


def awaited() -> QuerySet[OrderItem]:
    """Returns the reserve cards that a supplier sent and whose office has neither received nor missed them."""
    return OrderItem.objects.filter(
        kind=items.RESERVE_CARD.code,
        state=ItemState.SENT.value,
        order__person=None,
        carrier__state=CarrierState.SENT.value,
        carrier__stock=None,
    )


@transaction.atomic(durable=True)
def receive_bundle(*, actor: Actor, order_id: UUID) -> int:
    """Receives every card of a bundle that was sent and that its office has not received. Returns how many. A repeated call
    receives none. Raises NotFound, Forbidden, Conflict if nothing of the bundle is sent yet.
    """
    order = bundle_of(actor, order_id)
    carriers = _awaited_of(order)
    if not carriers and not StockCard.objects.filter(carrier__item__order=order).exists():
        raise Conflict(
            "bundle-not-sent", "Kortleverantören har inte rapporterat bunten skickad än. Ta emot den när den är skickad."
        )
    return _receive(actor, order, carriers)


@transaction.atomic(durable=True)
def receive_scanned(*, actor: Actor, order_id: UUID, serials: str) -> int:
    """Receives the cards of a bundle with these serial numbers, also those that were reported missing from it. All or none.
    Returns how many. Raises NotFound, Forbidden, Invalid at `serials` with the lines that are no such cards.
    """
    order = bundle_of(actor, order_id)
    found = offices.read(serials)
    named = Carrier.objects.filter(item__order=order, card_serial__in=found.serials, state=CarrierState.SENT.value)
    carriers = list(offices.lock_carriers(list(named.values_list("pk", flat=True))).values())
    receivable = {row.card_serial: row for row in carriers if row.state == CarrierState.SENT}
    if foreign := [line for serial, line in found.lines.items() if serial not in receivable]:
        message = f"Kortet hör inte till bunten, eller är redan mottaget: {offices.lines_text(foreign)}. Inget kort togs emot."
        raise offices.wrong("serial-not-awaited", message)
    return _receive(actor, order, list(receivable.values()))


@transaction.atomic(durable=True)
def report_missing(*, actor: Actor, order_id: UUID) -> int:
    """Reports every card of a bundle missing that was sent and that its office has not received. Returns how many. The cards stay
    valid until they are reported lost, since a second parcel may be under way. Raises NotFound, Forbidden.
    """
    order = bundle_of(actor, order_id)
    carriers = _awaited_of(order)
    steps.begin([_card(order, row, StockState.MISSING) for row in carriers], "missing", actor_ref=actor.ref, facts=_facts(order))
    if carriers:
        offices.record(actor, "office.stock_missing", order.office_id, order=str(order.pk), stock_quantity=len(carriers))
    return len(carriers)


def receive_missing(actor: Actor, card: StockCard, carrier: Carrier) -> None:
    """Receives a locked card that was missing from its bundle and turned up, in the caller's transaction."""
    _step_received(actor, [carrier], {"office": str(card.office_id)})
    steps.step([card], StockAction.FIND, actor_ref=actor.ref, received_at=clock.now())


def bundle_of(actor: Actor, order_id: UUID) -> CardOrder:
    """Returns the order of a bundle for an office whose stock the actor keeps. Raises NotFound, Forbidden."""
    order = CardOrder.objects.filter(pk=order_id, person=None, items__number=1, items__kind=items.RESERVE_CARD.code).first()
    offices.require_office(actor, order.office_id if order else order_id)  # refuses an unknown order by the same queries
    if order is None:
        raise policy.not_found()
    return order


def _awaited_of(order: CardOrder) -> list[Carrier]:
    """Locks and returns the carriers of the order's awaited cards."""
    ids = list(awaited().filter(order=order).values_list("carrier", flat=True))
    locked = offices.lock_carriers(ids)
    known = set(StockCard.objects.filter(carrier__in=locked).values_list("carrier", flat=True))
    return [row for row in locked.values() if row.state == CarrierState.SENT and row.pk not in known]


def _receive(actor: Actor, order: CardOrder, carriers: Sequence[Carrier]) -> int:
    if not carriers:
        return 0
    missing = offices.lock_cards([row.pk for row in carriers])
    _step_received(actor, carriers, _facts(order))
    known = {card.carrier_id for card in missing}
    new: Iterable[Carrier] = (row for row in carriers if row.pk not in known)
    steps.begin([_card(order, row, StockState.IN_STOCK) for row in new], "received", actor_ref=actor.ref, facts=_facts(order))
    steps.step(missing, StockAction.FIND, actor_ref=actor.ref, received_at=clock.now())
    offices.record(actor, "office.stock_received", order.office_id, order=str(order.pk), stock_quantity=len(carriers))
    return len(carriers)


def _step_received(actor: Actor, carriers: Sequence[Carrier], facts: dict[str, str]) -> None:
    steps.step(carriers, CarrierAction.RECEIVE, actor_ref=actor.ref, facts=facts)


def _card(order: CardOrder, carrier: Carrier, state: StockState) -> StockCard:
    received_at = clock.now() if state is StockState.IN_STOCK else None
    return StockCard(
        carrier=carrier, office_id=order.office_id, valid_to=carrier.valid_to, received_at=received_at, state=state.value
    )


def _facts(order: CardOrder) -> dict[str, str]:
    return {"order": str(order.pk), "office": str(order.office_id)}
