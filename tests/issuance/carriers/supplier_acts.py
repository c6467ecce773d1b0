"""The calls of a card supplier on the order of a carrier."""

from collections.abc import Callable

from issuance.carriers.domain.carrier_states import INVALID, CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.orders.domain.items import Fault, ItemState
from issuance.orders.domain.order_states import OrderState
from issuance.suppliers.domain import EventOutcome, Failed, Returned, Sent, SupplierReport, outcome_of
from issuance.suppliers.services import remakes, supplier_intake
from siths_portal.lib import clock
from tests.issuance.carriers import making, situations
from tests.issuance.carriers.expecting import NOTHING, Act, Expected, refused, stepped
from tests.issuance.carriers.situations import Situation
from tests.issuance.world import SUPPLIER

_A = CarrierAction


def not_open(card: Situation) -> Expected | None:
    """The refusal of a supplier's call on an order that it has not accepted."""
    assert card.order is not None
    state = card.item.order.state
    if state == OrderState.CANCELLED:
        return refused("order-withdrawn")
    return refused("order-not-accepted") if state == OrderState.QUEUED else None


def accept(card: Situation) -> object:
    assert card.order is not None
    return supplier_intake.accept(client_ref=SUPPLIER, order_id=card.order.pk)


def expect_accept(card: Situation) -> Expected | None:
    if card.order is None:
        return None
    found = not_open(card)
    return Expected(event="order.accepted") if found == refused("order-not-accepted") else found or NOTHING


def expect_certificates(card: Situation) -> Expected | None:
    if card.order is None:
        return None
    if found := not_open(card):
        return found
    carrier, eid = card.carrier, card.eid
    if carrier.card_serial:
        return NOTHING
    ends = {"revoked": "carrier-revoked", "cancelled": "order-closed"}
    if carrier.state in ends:
        return refused(ends[carrier.state])
    return (
        refused("eid-revoked") if eid and eid.state == EidState.REVOKED else stepped(card, "carrier.serial_bound", _A.BIND_SERIAL)
    )


def ask_for_certificates(card: Situation) -> object:
    assert card.order is not None
    assert card.keys is not None
    return making.request_certificates(card.order, card.number, card.keys, card.csrs or making.requests_of(card.keys))


_STEPS = {"produced": _A.REGISTER_PRODUCED, "sent": _A.SEND}


def expect_report(kind: str) -> Callable[[Situation], Expected | None]:
    """What a report leads to: `outcome_of` its item, unless the card's certificates or its holder stand against it."""

    def expect(card: Situation) -> Expected | None:
        if card.order is None:
            return None
        if found := not_open(card):
            return found
        if kind in card.reported:
            return NOTHING
        carrier, item = card.carrier, card.item
        outcome = outcome_of(kind, ItemState(item.state))
        ends = carrier.state in INVALID or (card.eid is not None and card.eid.state == EidState.REVOKED)
        spoilt = kind != "failed" and item.state == ItemState.IN_PRODUCTION and ends
        unused = CarrierState.ACTIVE if card.kind.active_on_delivery else CarrierState.SENT
        received = kind == "returned" and (carrier.code_set_at is not None or carrier.state not in INVALID | {unused})
        if outcome is not EventOutcome.APPLIED or spoilt or received:
            return Expected(event="order.report_noted")
        event = f"item.{kind}"
        if kind in _STEPS:
            return Expected(event=event, step=_STEPS[kind] if carrier.state == CarrierState.ORDERED else None)
        if kind == "failed":
            ending = _A.REVOKE if card.is_certified else _A.CANCEL
            return Expected(event=event, step=ending if carrier.state == CarrierState.ORDERED else None)
        return Expected(event=event, step=_A.REVOKE if carrier.state == unused else None)

    return expect


def send_report(event: Callable[[Situation], SupplierReport]) -> Callable[[Situation], object]:
    return lambda card: situations.report(card, event(card))


def report_of_production(card: Situation) -> SupplierReport:
    assert card.order is not None
    assert card.keys is not None
    return making.report_of_production(card.order, card.keys)


_NOT_REMADE = {
    "waiting": "item-not-begun",
    "sent": "item-sent",
    "returned": "item-sent",
    "failed": "item-ended",
    "cancelled": "item-ended",
}


def expect_remake(card: Situation) -> Expected | None:
    if card.order is None:
        return None
    if found := not_open(card):
        return found
    if code := _NOT_REMADE.get(card.item.state):
        return refused(code)
    if card.carrier.state != CarrierState.ORDERED:
        return refused("carrier-revoked")
    return stepped(card, "item.remade", _A.REVOKE)


def request_remake(card: Situation) -> object:
    assert card.order is not None
    return remakes.request_remake(
        client_ref=SUPPLIER, order_id=card.order.pk, item=card.number, reason="spoilt", fault=Fault.SUPPLIER
    )


ACTS = (
    Act("the supplier accepts", accept, expect_accept),
    Act("the supplier asks for certificates", ask_for_certificates, expect_certificates),
    Act("the supplier reports produced", send_report(report_of_production), expect_report("produced")),
    Act("the supplier reports sent", send_report(lambda _it: Sent(clock.today())), expect_report("sent")),
    Act("the supplier reports failed", send_report(lambda _it: Failed("spoilt")), expect_report("failed")),
    Act("the supplier reports returned", send_report(lambda _it: Returned()), expect_report("returned")),
    Act("the supplier gives it up", request_remake, expect_remake),
)
