"""Rules of a walk: what officers and holders do with a card at a visit."""

from typing import Any

from hypothesis import strategies as st

from issuance.activation.services import activation, activation_app, unlocking
from issuance.orders.services import drafts, eid_orders, ordering, replacements
from issuance.reserve_cards.services import handing_out
from issuance.revocation.services import replacing
from pki.revocation import releasing
from tests.issuance.carriers import making, situations
from tests.issuance.carriers.model import Card, Order
from tests.issuance.carriers.supply_rules import PEOPLE, SupplyRules
from tests.issuance.carriers.walking import is_room, on_card
from tests.issuance.reserve_cards.blank import approved, hand_out, proposed
from tests.issuance.suppliers.lettering import ordered_letter

_FAR = ("identified", "started", "code_set", "signed", "signed", "signed", "signed")
_PORTAL = ("ordinary_card", "reserve_card")


def may_be_activated(_walk: Any, card: Card) -> bool:
    if card.kind not in _PORTAL or card.eids[-1:] != ["ordered"]:
        return False
    is_waiting = card.state == ("reserved" if card.kind == "reserve_card" else "sent")
    return is_waiting or (card.state == "activated_unsigned" and not (card.is_blocked and card.kind == "reserve_card"))


def may_be_blocked(_walk: Any, card: Card) -> bool:
    return card.state == "activated_unsigned" and card.open in ("started", "code_set") and not card.is_blocked


def is_in_use(_walk: Any, card: Card) -> bool:
    return card.kind == "ordinary_card" and card.state == "active" and card.origin == "portal"


def may_be_replaced(walk: Any, card: Card) -> bool:
    states = ("sent", "activated_unsigned", "active")
    is_ours = card.kind == "ordinary_card" and card.origin == "portal" and card.state in states
    return is_room(walk) and is_ours and not walk.model.is_replaced(card)


def may_be_handed_out(_walk: Any, card: Card) -> bool:
    if card.kind != "reserve_card":
        return False
    return card.stock == card.state == "in_stock" or (card.state == "active" and card.live_eids == 0)


class VisitRules(SupplyRules):
    """From the holder's visit on."""

    @on_card(may_be_activated, until=st.sampled_from(_FAR))
    def visit(self, card: Card, until: str) -> None:
        opened = activation.identify(actor=self.officer, carrier_id=card.pk, identity_document=next(self.scene.documents))
        self.model.end_transaction(card, "superseded")
        card.open, card.app = "created", None
        self.model.count("holder.identified", "transaction.created")
        if until == "identified":
            return
        app = making.app_of(card.keys, self.situation(card).carrier)
        started = app.start(opened)
        card.app, card.open, card.signature = app, "started", b""
        self.model.count("transaction.started")
        is_certified = bool(started.signed_attributes)
        if is_certified:
            card.signature = making.signature(card.keys, opened, app)
        if until == "started":
            return
        if not is_certified:  # the keys of a reserve card are certified first
            card.signature = making.signature(card.keys, opened, app)
            card.certified += 2
            self.model.count("eid.certificates_planned")
        if opened.transaction.kind == "activate":
            self.set_code(card)
        if until == "signed":
            self.sign(card)

    def set_code(self, card: Card) -> None:
        assert card.app is not None
        activation_app.set_code(step_token=card.app.token)
        releasing.release_holds()
        self.model.count("carrier.code_reset" if card.is_blocked else "carrier.code_set", "transaction.code_set")
        card.state, card.open, card.has_code, card.is_blocked = "activated_unsigned", "code_set", True, False

    def sign(self, card: Card) -> None:
        assert card.app is not None
        activation_app.complete(step_token=card.app.token, signature=card.signature)
        card.state = "active"
        card.eids[-1] = "active"
        self.model.count("carrier.activated", "eid.activated")
        self.model.end_transaction(card, "completed")
        if card.replaced is not None and card.replaced.is_live:
            self.model.revoke(card.replaced)

    @on_card(may_be_blocked)
    def block(self, card: Card) -> None:
        situations.block(self.situation(card))
        card.is_blocked = True
        self.model.count("transaction.card_reported", "carrier.code_blocked")

    @on_card(is_in_use)
    def unlock(self, card: Card) -> None:
        opened = unlocking.identify(actor=self.officer, carrier_id=card.pk, identity_document=next(self.scene.documents))
        app = making.app_of(card.keys, self.situation(card).carrier)
        app.start(opened)
        activation_app.set_code(step_token=app.token)
        names = ("created", "started", "completed")
        self.model.count("holder.identified", "carrier.unlocked", *(f"transaction.{name}" for name in names))
        if card.letter:
            self.model.end_letter(card)
            self.model.count("carrier.puk_letter_withdrawn")

    @on_card(lambda walk, card: is_in_use(walk, card) and card.letter is None)
    def order_letter(self, card: Card) -> None:
        card.letter = ordered_letter(self.world, self.situation(card).carrier, actor=self.officer)
        self.model.count("order.submitted", "item.ordered", "carrier.puk_letter_ordered")

    @on_card(lambda _walk, card: card.letter is not None)
    def withdraw_letter(self, card: Card) -> None:
        ordering.cancel_order(actor=self.officer, order_id=card.letter.pk)
        self.model.end_letter(card)

    @on_card(may_be_replaced, reason=st.sampled_from(["lost", "damaged", "changed_details"]))
    def replace(self, card: Card, reason: str) -> None:
        draft = replacements.start(actor=self.officer, carrier_id=card.pk)
        choices = drafts.Choices(replacement_reason=reason)
        draft = drafts.choose(actor=self.officer, draft_id=draft.pk, version=draft.version, choices=choices)
        others = {each.pk for each in self.model.cards if each.person == card.person and each.is_live}
        done = replacing.order(
            actor=self.officer, draft_id=draft.pk, version=draft.version, confirmed_cards=others, photo_id=None,
            requester="holder", channel="visit",
        )  # fmt: skip
        if reason == "lost" or card.state != "active":
            self.model.revoke(card)
        new = Card(done.order.carrier_id, "ordinary_card", card.person, Order(done.order), replaced=card)
        self.ordered(new)
        self.model.count("order.submitted")

    @on_card(may_be_handed_out, person=PEOPLE, by_two=st.sampled_from([False, False, True]))
    def hand_out(self, card: Card, person: int, by_two: bool) -> None:
        person = person if card.person is None else card.person
        post = self.scene.people[person][0]
        if by_two:
            approved(proposed(card.keys, post, self.scene.first), self.scene.second)
            names = ("created", "started", "completed")
            self.model.count("reserve_issue.proposed", "reserve_issue.signed", "reserve_issue.approved", "holder.identified")
            self.model.count(*(f"transaction.{name}" for name in names * 2))
        else:
            hand_out(card.keys, post, self.officer, last_day=handing_out.proposed_last_day(2))
            self.model.count("reserve_issue.bound")
        if card.stock == "in_stock":
            card.stock = "handed_out"
            self.model.count("stock_card.handed_out")
        card.person, card.state, card.has_code = person, "reserved", False
        card.eids.append("ordered")
        self.model.count("carrier.holder_bound", "eid.ordered")

    @on_card(lambda walk, card: is_in_use(walk, card) and card.eid_order is None)
    def order_further_eid(self, card: Card) -> None:
        further = self.scene.people[card.person or 0][1]
        order = eid_orders.order_additional_eid(actor=self.officer, carrier_id=card.pk, post_id=further.pk)
        card.eid_order = order
        self.model.count("eid_order.ordered")

    @on_card(lambda _walk, card: card.eid_order is not None)
    def withdraw_eid_order(self, card: Card) -> None:
        eid_orders.withdraw_eid_order(actor=self.officer, order_id=card.eid_order.pk)
        card.eid_order = None
        self.model.count("eid_order.withdrawn")
