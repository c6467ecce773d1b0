"""Rules of a walk: orders, what their supplier makes of them, and reserve cards in stock."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from issuance.authz import system
from issuance.carriers.domain.carrier_states import CarrierAction
from issuance.carriers.models import Carrier
from issuance.imports.services import migration
from issuance.orders.domain.items import Fault
from issuance.orders.services import ordering, remaking
from issuance.stock.services import receiving
from issuance.suppliers.domain import Failed, Returned, Sent
from issuance.suppliers.services import supplier_intake
from siths_portal.lib import clock
from tests.issuance.carriers import making, situations
from tests.issuance.carriers.model import Card, Order
from tests.issuance.carriers.walking import Walk, is_room, on_card
from tests.issuance.migrated import CA, migrated_card
from tests.issuance.orders.bundles import bundle
from tests.issuance.reserve_cards.blank import Blank
from tests.issuance.world import SUPPLIER

PEOPLE = st.integers(0, 2)
_FAR = ("certified", "produced", "sent", "sent", "sent", "sent")
_BEGINNINGS = st.sampled_from(["", "sent", "sent", "sent"])
"""How far a new card is brought at once: most walks begin with cards in the post, so that they come further."""
_KINDS = {"631": "ordinary_card", making.TEST_CARD: "test_card"}


def is_being_made(_walk: Any, card: Card) -> bool:
    return (
        card.order is not None
        and card.state == "ordered"
        and card.item in ("waiting", "in_production", "produced")
        and card.eids[-1:] != ["revoked"]
    )


def is_unsent(_walk: Any, card: Card) -> bool:
    return card.order is not None and card.order.state != "cancelled" and card.item in ("waiting", "in_production", "produced")


def may_come_back(_walk: Any, card: Card) -> bool:
    return card.item == "sent" and "returned" not in card.reported


def may_be_made_again(walk: Any, card: Card) -> bool:
    is_taken = card.replaced is not None and any(
        each.replaced is card.replaced and each.order is not card.order and walk.model.is_replaced(card.replaced)
        for each in walk.model.cards
    )
    is_for_a_person = card.person is not None and card.kind != "reserve_card"  # one of a bundle may have got a holder since
    return is_room(walk) and card.item == "returned" and is_for_a_person and not card.is_made_again and not is_taken


def is_queued(_walk: Any, card: Card) -> bool:
    return card.order is not None and card.order.state == "queued" and card.item == "waiting"


def is_on_the_way(_walk: Any, card: Card) -> bool:
    return card.kind == "reserve_card" and card.state == "sent" and card.item == "sent"


class SupplyRules(Walk):
    """From the order until somebody has the card."""

    @precondition(is_room)
    @rule(person=PEOPLE, article=st.sampled_from(["631", "631", "631", making.TEST_CARD]), until=_BEGINNINGS)
    def order(self, person: int, article: str, until: str = "") -> None:
        row = self.world.order(self.scene.people[person][0], article=article, actor=self.officer)
        card = self.ordered(Card(row.carrier_id, _KINDS[article], person, Order(row)))
        self.model.count("order.submitted")
        if until:
            self.bring(card, until)

    def ordered(self, card: Card) -> Card:
        """A card of an order, with its first events."""
        card.keys = Blank() if card.kind == "reserve_card" else making.new_keys()
        if card.kind != "reserve_card":
            card.eids.append("ordered")
            self.model.count("eid.ordered")
        return self.model.add(card, "carrier.ordered", "item.ordered")

    @precondition(is_room)
    @rule(until=_BEGINNINGS, received=st.booleans())
    def order_bundle(self, until: str = "", received: bool = False) -> None:
        row = bundle(self.world.region, self.world.office, 1)
        card = self.ordered(Card(Carrier.objects.get(item__order=row).pk, "reserve_card", None, Order(row)))
        self.model.count("order.submitted")
        if until:
            self.bring(card, until)
        if until and received:
            self.take_in(card)

    @on_card(is_queued)
    def withdraw(self, card: Card) -> None:
        assert card.order is not None
        ordering.cancel_order(actor=self.officer, order_id=card.order.row.pk)
        self.model.withdraw(card)
        card.state = "cancelled"
        self.model.count("carrier.cancelled")
        self.model.end_eids(card, "cancelled", among=("ordered",))

    def accept(self, card: Card) -> None:
        assert card.order is not None
        if card.order.state == "queued":
            supplier_intake.accept(client_ref=SUPPLIER, order_id=card.order.row.pk)
            card.order.state = "accepted"
            self.model.count("order.accepted")

    @on_card(is_being_made, until=st.sampled_from(_FAR))
    def make(self, card: Card, until: str) -> None:
        self.bring(card, until)

    def bring(self, card: Card, until: str) -> None:
        self.accept(card)
        way = {"waiting": self.certify, "in_production": self.produce, "produced": self.send}
        ends = {"certified": "in_production", "produced": "produced", "sent": "sent"}
        while card.item in way:
            way[card.item](card)
            if card.item == ends[until]:
                return

    def certify(self, card: Card) -> None:
        assert card.order is not None
        card.csrs = making.requests_of(card.keys)
        making.certify(card.order.row, card.number, card.keys, card.csrs)
        card.item = card.order.state = "in_production"
        card.certified = len(card.csrs)
        self.model.count("carrier.serial_bound", "item.production_started", "order.production_started")
        if card.eids:
            self.model.count("eid.certificates_planned")

    def produce(self, card: Card) -> None:
        assert card.order is not None
        situations.report(self.situation(card), making.report_of_production(card.order.row, card.keys))
        card.reported.add("produced")
        card.item = card.order.state = "produced"
        self.model.count("carrier.produced", "item.produced", "order.produced")
        if card.kind != "reserve_card":
            making.seal_puks()
            self.model.count("order.puk_sealed")

    def send(self, card: Card) -> None:
        assert card.order is not None
        situations.report(self.situation(card), Sent(clock.today()))
        card.reported.add("sent")
        card.item = card.order.state = "sent"
        card.state = card.unused
        self.model.count("carrier.sent", "item.sent", "order.sent")
        if card.state == "active":
            card.eids = ["active"]
            self.model.count("eid.activated")

    @on_card(is_unsent)
    def fail(self, card: Card) -> None:
        assert card.order is not None
        self.accept(card)
        situations.report(self.situation(card), Failed("spoilt"))
        card.reported.add("failed")
        card.item = card.order.state = "failed"
        self.model.count("item.failed", "order.failed")
        if card.state == "ordered" and card.certified:
            self.model.revoke(card)
        elif card.state == "ordered":
            card.state = "cancelled"
            self.model.count("carrier.cancelled")
            self.model.end_eids(card, "cancelled", among=("ordered",))

    @on_card(may_come_back)
    def come_back(self, card: Card) -> None:
        assert card.order is not None
        situations.report(self.situation(card), Returned())
        card.reported.add("returned")
        if card.has_code or card.state not in ("revoked", "expired", "cancelled", card.unused):
            self.model.count("order.report_noted")
            return
        card.item = card.order.state = "returned"
        self.model.count("item.returned", "order.returned")
        if card.state == card.unused:
            self.model.revoke(card)

    @on_card(may_be_made_again)
    def make_again(self, card: Card) -> None:
        assert card.order is not None
        number = card.number
        item = remaking.remake_returned(actor=self.officer, order_id=card.order.row.pk, number=number, fault=Fault.OTHER)
        card.is_made_again, card.order.state = True, "queued"
        new = Card(item.made.pk, card.kind, card.person, card.order, item.number)
        new.replaced = card.replaced
        self.ordered(new)
        self.model.count("order.remade")

    @on_card(is_on_the_way)
    def receive(self, card: Card) -> None:
        self.take_in(card)

    def take_in(self, card: Card) -> None:
        assert card.order is not None
        receiving.receive_scanned(actor=self.officer, order_id=card.order.row.pk, serials=card.keys.serial)
        self.model.count("carrier.received", "stock_card.found" if card.stock else "stock_card.received")
        card.state, card.stock = "in_stock", "in_stock"

    @on_card(lambda walk, card: is_on_the_way(walk, card) and not card.stock)
    def miss_parcel(self, card: Card) -> None:
        assert card.order is not None
        receiving.report_missing(actor=self.officer, order_id=card.order.row.pk)
        card.stock = "missing"
        self.model.count("stock_card.missing")

    @on_card(lambda _walk, card: card.stock == "in_stock", action=st.sampled_from(["missing", "damaged", "lost"]))
    def lose_from_stock(self, card: Card, action: str) -> None:
        situations.change_stock(self.situation(card), action)
        card.stock = action
        self.model.count(f"stock_card.{action}")
        if action != "missing":
            self.model.revoke(card)

    @on_card(lambda _walk, card: card.stock == "missing", action=st.sampled_from(["found", "found", "lost"]))
    def find_or_lose(self, card: Card, action: str) -> None:
        situations.change_stock(self.situation(card), action)
        self.model.count(f"stock_card.{action}")
        if action == "lost":
            card.stock = "lost"
            self.model.revoke(card)
            return
        card.stock = "in_stock"
        if card.state == "sent":
            card.state = "in_stock"
            self.model.count("carrier.received")

    @precondition(is_room)
    @rule(person=PEOPLE)
    def migrate(self, person: int) -> None:
        card = migrated_card(self.scene.people[person][0])
        carrier = migration.register_migrated_card(actor=system("migration"), card=card, ca=CA)
        found = Card(carrier.pk, "ordinary_card", person, state="active", eids=["active"], certified=4, origin="migrated")
        self.model.add(found, "carrier.migrated", "eid.migrated")

    @precondition(is_room)
    @rule(person=PEOPLE, is_in_use=st.booleans())
    def have_mobile(self, person: int, is_in_use: bool) -> None:
        carrier = making.mobile(self.scene.people[person][0], is_in_use=is_in_use)
        found = Card(carrier.pk, "mobile_eid", person, state=carrier.state, certified=2, origin="migrated")
        self.model.add(found, "carrier.migrated" if is_in_use else "carrier.ordered")

    @on_card(lambda _walk, card: card.kind == "mobile_eid" and card.state == "ordered")
    def choose_code_of_mobile(self, card: Card) -> None:
        making.step_mobile(card.pk, CarrierAction.SET_CODE)
        card.state = "activated_unsigned"
        self.model.count("carrier.code_set")
