"""Every act that a service offers on a carrier, and what the declarations say that it leads to in a situation."""

import datetime as dt
from collections.abc import Callable, Mapping

from issuance.activation.domain.transaction_states import OPEN, TransactionKind, TransactionState
from issuance.activation.services import activation, activation_app, unlocking
from issuance.carriers.domain.carrier_states import INVALID, CarrierAction, CarrierState
from issuance.carriers.domain.eid_states import LIVE_EIDS, EidState
from issuance.carriers.domain.kinds import EidOrderKind, Function
from issuance.carriers.models import CarrierCertificate
from issuance.housekeeping.services import deadlines
from issuance.orders.domain.items import Fault, ItemState
from issuance.orders.domain.order_states import OrderState
from issuance.orders.models.orders import OrderItem
from issuance.orders.services import eid_orders, remaking, replacements
from issuance.reserve_cards.services import handing_out
from issuance.reserve_cards.services.handing_out import HandOut
from issuance.revocation.services import certificate_revocation, whole_person
from issuance.stock.domain import TRANSITIONS as STOCK
from issuance.stock.domain import StockAction, StockState
from issuance.stock.services import receiving
from pki import service as pki
from siths_portal.lib import clock
from tests.issuance.carriers import making, situations, supplier_acts
from tests.issuance.carriers.expecting import NOTHING, Act, Expected, in_words, refused, stepped
from tests.issuance.carriers.situations import Situation
from tests.issuance.suppliers.lettering import ordered_letter

_A = CarrierAction


# --- the officers ----------------------------------------------------------------------------------------------------------


def expect_withdrawal(card: Situation) -> Expected | None:
    if card.order is None:
        return None
    state = card.item.order.state
    if state == OrderState.QUEUED:
        return Expected(event="order.cancelled", step=_A.CANCEL if card.carrier.state == CarrierState.ORDERED else None)
    return NOTHING if state == OrderState.CANCELLED else refused(f"order-{in_words(state)}")


def expect_made_again(card: Situation) -> Expected | None:
    if card.order is None:
        return None
    if card.item.state != ItemState.RETURNED:
        return refused("item-not-returned")
    if OrderItem.objects.filter(replaces=card.item).exists():
        return NOTHING
    return Expected(event="order.remade") if card.eid else refused("order-without-eid")


def make_again(card: Situation) -> object:
    assert card.order is not None
    return remaking.remake_returned(actor=card.world.officer(), order_id=card.order.pk, number=card.number, fault=Fault.OTHER)


def expect_receipt(card: Situation) -> Expected | None:
    if card.order is None:
        return None
    if (CarrierState.SENT, _A.RECEIVE) not in card.kind.transitions:
        return refused("not-found")
    if card.carrier.state != CarrierState.SENT:
        return refused("serial-not-awaited")
    return stepped(card, "stock_card.found" if card.stock else "stock_card.received", _A.RECEIVE)


def receive(card: Situation) -> object:
    assert card.order is not None
    assert card.keys is not None
    return receiving.receive_scanned(actor=card.world.officer(), order_id=card.order.pk, serials=card.keys.serial)


def expect_of_stock(action: StockAction) -> Callable[[Situation], Expected | None]:
    """What a clerk says of a card in stock: by the table of stock cards."""

    def expect(card: Situation) -> Expected | None:
        if (lying := card.stock) is None:
            return None
        state, event = CarrierState(card.carrier.state), f"stock_card.{action}"
        if (StockState(lying.state), action) not in STOCK:
            return refused(f"stock_card-{in_words(lying.state)}")
        if action in (StockAction.DAMAGE, StockAction.LOSE):
            return stepped(card, event, _A.REVOKE)
        return Expected(event=event, step=_A.RECEIVE if (action, state) == (StockAction.FIND, CarrierState.SENT) else None)

    return expect


def expect_hand_out(card: Situation) -> Expected | None:
    if card.keys is None:
        return None
    carrier, lying, eid = card.carrier, card.stock, card.eid
    in_stock = carrier.state == CarrierState.IN_STOCK and lying is not None and lying.state == StockState.IN_STOCK
    is_used = carrier.state == CarrierState.ACTIVE and eid is not None and eid.state not in LIVE_EIDS
    if card.kind.rule(Function.HAND_OUT) is None or not (in_stock or is_used):
        return refused("card-not-usable")
    return stepped(card, "reserve_issue.bound", _A.BIND_HOLDER)


def hand_out(card: Situation) -> object:
    """By another officer than the one before, whose second click would have the first one's result."""
    assert card.keys is not None
    wanted = HandOut(card.post.pk, card.keys.serial, 2, handing_out.proposed_last_day(2))
    return handing_out.hand_out(actor=making.another_officer(card.world), wanted=wanted)


def by_function(function: Function, event: str, code: Callable[[CarrierState], str]) -> Callable[[Situation], Expected | None]:
    """A function that the kind declares, in the states that it declares. Otherwise it is refused with `code` of the state."""

    def expect(card: Situation) -> Expected | None:
        state = CarrierState(card.carrier.state)
        if card.kind.rule(function) is None:
            return refused("not-found")
        return Expected(event=event) if card.kind.allows(function, state) else refused(code(state))

    return expect


def expect_visit(card: Situation) -> Expected | None:
    """An activation needs what is on the card, beside the state."""
    found = by_function(Function.ACTIVATE, "transaction.created", lambda state: f"carrier-{in_words(state)}")(card)
    if found is None or found.code:
        return found
    if card.carrier.is_code_blocked and not card.kind.needs_puk:
        return refused("carrier-activated-unsigned")
    if card.eid is None or card.eid.state != EidState.ORDERED:
        return refused("eids-changed" if card.kind.makes_keys_at_activation else "certificates-not-in-force")
    return found


def expect_eid_order(order: EidOrderKind) -> Callable[[Situation], Expected | None]:
    """An eID that the holder fetches, in the states that the kind declares."""

    def expect(card: Situation) -> Expected | None:
        eid, rule = card.eid, card.kind.eid_order(order)
        if eid is None and order is EidOrderKind.RENEWAL:
            return None
        if rule is None:
            return refused("eid-not-for-carrier")
        if card.carrier.state not in rule.states:
            return refused("carrier-not-active")
        if rule.replaces and (eid is None or eid.state != EidState.ACTIVE):
            return refused("eid-not-active")
        return Expected(event="eid_order.ordered")

    return expect


def renew_eid(card: Situation) -> object:
    assert card.eid is not None
    return eid_orders.order_renewed_eid(actor=card.world.officer(), eid_id=card.eid.pk)


def expect_revocation(card: Situation) -> Expected | None:
    state = CarrierState(card.carrier.state)
    if (state, _A.REVOKE) in card.kind.transitions:
        return Expected(event="carrier.revoked", step=_A.REVOKE)
    return NOTHING if state == CarrierState.REVOKED else refused(f"carrier-{state}")


def expect_revocation_of_eid(card: Situation) -> Expected | None:
    if (eid := card.eid) is None:
        return None
    if eid.state in LIVE_EIDS:
        return Expected(event="eid.revoked")
    return NOTHING if eid.state == EidState.REVOKED else refused(f"eid-{eid.state}")


def expect_revocation_of_person(card: Situation) -> Expected | None:
    if card.carrier.person_id is None:
        return None
    return NOTHING if card.carrier.state in INVALID else stepped(card, "carrier.revoked", _A.REVOKE)


def revoke_person(card: Situation) -> object:
    actor, person = card.world.officer(), card.carrier.holder_id
    shown = whole_person.live_possessions(actor, person).ids
    return whole_person.revoke_person(actor=actor, person_id=person, shown=shown, reason="lost_or_stolen")


# --- the holder's app ------------------------------------------------------------------------------------------------------


def has_ended(card: Situation) -> Expected | None:
    """The refusal of a call of the app whose transaction has ended."""
    return None if card.transaction.state in OPEN else refused("transaction-ended")


def expect_code(card: Situation) -> Expected | None:
    if card.app is None:
        return None
    state = card.transaction.state
    if card.transaction.kind == TransactionKind.SIGN:
        return refused("code-not-asked-for")
    if card.carrier.code_blocked_at is not None:
        return has_ended(card) or stepped(card, "carrier.code_reset", _A.RESET_CODE)
    if state in (TransactionState.CODE_SET, TransactionState.COMPLETED):
        return NOTHING
    if card.kind.makes_keys_at_activation and not card.signature:
        return has_ended(card) or refused("certificates-missing")
    return has_ended(card) or stepped(card, "carrier.code_set", _A.SET_CODE)


def expect_blocked_code(card: Situation) -> Expected | None:
    if card.app is None:
        return None
    if found := has_ended(card):
        return found
    carrier = card.carrier
    if carrier.is_code_blocked:
        return NOTHING
    is_waiting = carrier.state == CarrierState.ACTIVATED_UNSIGNED
    return Expected(event="transaction.card_reported", step=_A.BLOCK_CODE if is_waiting else None)


def expect_signature(card: Situation) -> Expected | None:
    if card.app is None or not card.signature:
        return None
    state = card.transaction.state
    if state == TransactionState.COMPLETED:
        return NOTHING
    if found := has_ended(card):
        return found
    if (card.transaction.kind, state) == (TransactionKind.ACTIVATE, TransactionState.STARTED):
        return refused("code-not-set")
    return stepped(card, "carrier.activated", _A.SIGN_RECEIPT)


def token(card: Situation) -> str:
    assert card.app is not None
    return card.app.token


def sign(card: Situation) -> object:
    return activation_app.complete(step_token=token(card), signature=card.signature)


# --- what follows from elsewhere -------------------------------------------------------------------------------------------

_IN_TIME: Mapping[CarrierState, tuple[str, CarrierAction]] = {
    CarrierState.SENT: ("carrier.revoked", _A.REVOKE),
    CarrierState.RESERVED: ("carrier.revoked", _A.REVOKE),
    CarrierState.ACTIVATED_UNSIGNED: ("carrier.revoked", _A.REVOKE),
    CarrierState.ACTIVE: ("carrier.expired", _A.EXPIRE),
}
"""What years without any act make of a carrier with a holder; the others stay, as an order without news and a card in stock."""


def expect_years(card: Situation) -> Expected | None:
    carrier = card.carrier
    state = CarrierState(carrier.state)
    return stepped(card, *_IN_TIME[state]) if state in _IN_TIME and carrier.person_id else None


def let_years_pass(_card: Situation) -> None:
    with clock.moved_to(clock.now() + dt.timedelta(days=6 * 366)):
        deadlines.run()


def expect_revoked_certificates(card: Situation) -> Expected | None:
    if not card.is_certified:
        return None
    return Expected(in_pki=True) if card.carrier.state in INVALID else stepped(card, "carrier.revoked", _A.REVOKE)


def revoke_certificates(card: Situation) -> object:
    """As by an operator; the signal comes after the commit."""
    ids = list(CarrierCertificate.objects.filter(carrier=card.carrier_id).values_list("certificate_id", flat=True))
    pki.plan_revocation(ids, reason="keyCompromise", actor_ref="user:1", received_at=clock.now(), channel="portal")
    return certificate_revocation.revoke_unusable(ids)


REVOCATION = Act("an officer revokes it", situations.revoke, expect_revocation)
ACTS = (
    *supplier_acts.ACTS,
    Act("an officer withdraws the order", situations.cancel, expect_withdrawal),
    Act("an officer has it made again", make_again, expect_made_again),
    Act("an officer receives it", receive, expect_receipt),
    *(
        Act(f"an officer says {action}", lambda it, action=action: situations.change_stock(it, action), expect_of_stock(action))
        for action in (StockAction.MISS, StockAction.FIND, StockAction.DAMAGE, StockAction.LOSE)
    ),
    Act("an officer hands it out", hand_out, expect_hand_out),
    Act(
        "an officer identifies its holder",
        lambda it: activation.identify(actor=it.world.officer(), carrier_id=it.carrier_id, identity_document="driving_licence"),
        expect_visit,
    ),
    Act(
        "an officer unlocks it",
        lambda it: unlocking.identify(actor=it.world.officer(), carrier_id=it.carrier_id, identity_document="passport"),
        by_function(Function.UNLOCK, "transaction.created", lambda _state: "carrier-not-active"),
    ),
    Act(
        "an officer orders a PUK letter",
        lambda it: ordered_letter(it.world, it.carrier),
        by_function(Function.ORDER_PUK_LETTER, "carrier.puk_letter_ordered", lambda _state: "carrier-not-active"),
    ),
    Act(
        "an officer replaces it",
        lambda it: replacements.start(actor=it.world.officer(), carrier_id=it.carrier_id),
        by_function(Function.REPLACE, "order_draft.proposed", lambda _state: "card-not-replaceable"),
    ),
    Act(
        "an officer orders a further eID",
        lambda it: eid_orders.order_additional_eid(
            actor=it.world.officer(), carrier_id=it.carrier_id, post_id=it.further_post.pk
        ),
        expect_eid_order(EidOrderKind.ADDITIONAL),
    ),
    Act("an officer renews its eID", renew_eid, expect_eid_order(EidOrderKind.RENEWAL)),
    REVOCATION,
    Act("an officer revokes its eID", situations.revoke_eid, expect_revocation_of_eid),
    Act("an officer revokes everything of its holder", revoke_person, expect_revocation_of_person),
    Act("the app sets the code", lambda it: activation_app.set_code(step_token=token(it)), expect_code),
    Act("the app reports a blocked code", situations.block, expect_blocked_code),
    Act("the app brings the signature", sign, expect_signature),
    Act("years pass", let_years_pass, expect_years),
    Act("an operator revokes its certificates", revoke_certificates, expect_revoked_certificates),
)
