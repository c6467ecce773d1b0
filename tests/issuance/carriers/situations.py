"""The life of a carrier of each kind, situation by situation, each with what an act on it needs.

A life is a generator: while the caller has a situation in hand, the database holds it. Ends are rolled back when the caller asks
for the next one, so each carrier is made once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from issuance.activation.domain.card_reports import CardReport
from issuance.activation.models import EidAppTransaction
from issuance.activation.services import activation, activation_app, card_reports
from issuance.carriers.domain.carrier_states import CarrierAction
from issuance.carriers.domain.kinds import CarrierKind, kind_of
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.housekeeping.services import deadlines
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import ordering
from issuance.people.models.persons import Post
from issuance.revocation.services import revocation
from issuance.stock.models import StockCard
from issuance.stock.services import cards as stock_cards
from issuance.stock.services import receiving
from issuance.suppliers.domain import Failed, Returned, Sent, SupplierReport
from issuance.suppliers.services import supplier_events, supplier_intake
from pki.revocation import releasing
from siths_portal.lib import clock
from tests.issuance.activated import App, Keys
from tests.issuance.carriers import making
from tests.issuance.orders.bundles import bundle
from tests.issuance.reserve_cards.blank import Blank, hand_out
from tests.issuance.world import SUPPLIER, World
from tests.rewinding import undone


@dataclass
class Situation:
    """A carrier in a situation of its life, whose rows are read once. `reported` are the kinds of reports that its supplier has
    made; `app` has a step token; `signature` is the holder's on the receipt; `post` is the assignment that it is for, or will be;
    `number` that of its item.
    """

    name: str
    world: World
    post: Post
    further_post: Post
    carrier_id: Any
    order: CardOrder | None = None
    number: int = 1
    keys: Keys | Blank | None = None
    csrs: making.Csrs = field(default_factory=dict)
    reported: frozenset[str] = frozenset()
    app: App | None = None
    signature: bytes = b""

    @cached_property
    def carrier(self) -> Carrier:
        """The carrier as it stood when it was first asked for."""
        return Carrier.objects.select_related("person").get(pk=self.carrier_id)

    @cached_property
    def kind(self) -> CarrierKind:
        """Its declaration."""
        return kind_of(self.carrier.kind)

    @cached_property
    def item(self) -> OrderItem:
        """What its supplier makes."""
        return OrderItem.objects.select_related("order").get(carrier=self.carrier_id)

    @cached_property
    def eid(self) -> Eid | None:
        """The newest eID on it."""
        return Eid.objects.filter(carrier=self.carrier_id).order_by("-created_at", "-id").first()

    @cached_property
    def stock(self) -> StockCard | None:
        """The card in the stock of an office."""
        return StockCard.objects.filter(carrier=self.carrier_id).first()

    @cached_property
    def is_certified(self) -> bool:
        """True if there are certificates on it."""
        return CarrierCertificate.objects.filter(carrier=self.carrier_id).exists()

    @cached_property
    def transaction(self) -> EidAppTransaction:
        """The transaction of its app."""
        assert self.app is not None
        return making.transaction_of(self.app)

    def at(self, name: str, **changes: Any) -> "Situation":
        """The same carrier in a situation with another name."""
        return replace(self, name=name, **changes)


type Life = Iterator[Situation]


def report(card: Situation, event: SupplierReport) -> Any:
    """A report of the supplier on the card."""
    assert card.order is not None
    return supplier_events.register_event(client_ref=SUPPLIER, order_id=card.order.pk, item=card.number, event=event)


def ended(card: Situation, name: str, act: Callable[[Situation], object], **changes: Any) -> Life:
    """A situation that an act leads to, and that is rolled back."""
    with undone():
        act(card)
        yield card.at(name, **changes)


def revoke(card: Situation) -> None:
    """The card is revoked."""
    revocation.revoke_carrier(actor=card.world.officer(), carrier_id=card.carrier_id, reason="lost_or_stolen")


def revoke_eid(card: Situation) -> None:
    """The eID on it is revoked, and the card stays."""
    assert card.eid is not None
    revocation.revoke_eid(actor=card.world.officer(), eid_id=card.eid.pk, reason="lost_or_stolen")


def expire(card: Situation) -> None:
    """Its last day is over."""
    now = clock.now()
    Carrier.objects.filter(pk=card.carrier_id).update(valid_to=now)
    Eid.objects.filter(carrier=card.carrier_id).update(valid_to=now)
    deadlines.run()


def expire_eid(card: Situation) -> None:
    """The last day of its eID is over."""
    Eid.objects.filter(carrier=card.carrier_id).update(valid_to=clock.now())
    deadlines.run()


def cancel(card: Situation) -> None:
    """Its order is withdrawn."""
    assert card.order is not None
    ordering.cancel_order(actor=card.world.officer(), order_id=card.order.pk)


def block(card: Situation) -> None:
    """The holder blocks the code."""
    assert card.app is not None
    card_reports.record(step_token=card.app.token, report=CardReport.CODE_BLOCKED)


def production(card: Situation) -> Iterator[Situation]:
    """From the order until the supplier has sent it. The last one is in the post."""
    assert card.order is not None
    yield card
    yield from ended(card, "withdrawn", cancel)
    is_personal = card.eid is not None
    if is_personal:
        yield from ended(card, "without-eid-in-queue", revoke_eid)
    yield from ended(card, "revoked-in-queue", revoke)
    supplier_intake.accept(client_ref=SUPPLIER, order_id=card.order.pk)
    yield card.at("accepted")
    yield from ended(card, "failed", lambda it: report(it, Failed("spoilt")), reported=frozenset({"failed"}))
    yield from ended(card, "revoked-when-accepted", revoke)
    if is_personal:
        yield from ended(card, "without-eid-when-accepted", revoke_eid)
    assert card.keys is not None
    card = replace(card, csrs=making.requests_of(card.keys))
    making.certify(card.order, 1, card.keys, card.csrs)
    yield card.at("certified")
    yield from ended(card, "failed-when-certified", lambda it: report(it, Failed("spoilt")), reported=frozenset({"failed"}))
    yield from ended(card, "revoked-when-certified", revoke)
    if is_personal:
        yield from ended(card, "without-eid-when-certified", revoke_eid)
    report(card, making.report_of_production(card.order, card.keys))
    making.seal_puks()
    card = replace(card, reported=frozenset({"produced"}))
    yield card.at("produced")
    report(card, Sent(clock.today()))
    card = replace(card, reported=card.reported | {"sent"})
    yield card.at("sent")
    yield from ended(card, "returned", lambda it: report(it, Returned()), reported=card.reported | {"returned"})
    yield from ended(card, "revoked-when-sent", revoke)


def last_of(life: Iterator[Situation], until: str) -> Iterator[Situation]:
    """Yields each situation of a part of a life. Returns the one with the name `until`, from which the life goes on."""
    found = None
    for each in life:
        if each.name == until:
            found = each
        yield each
    assert found is not None
    return found


def activation_of(card: Situation) -> Iterator[Situation]:
    """From the visit until the holder has signed. The last one is in use."""
    assert card.keys is not None
    opened = activation.identify(actor=card.world.officer(), carrier_id=card.carrier_id, identity_document="passport")
    app = making.app_of(card.keys, card.carrier)
    app.start(opened)
    card = replace(card, app=app)
    yield card.at("started")
    yield from ended(card, "revoked-when-started", revoke)
    card = replace(card, signature=making.signature(card.keys, opened, app))
    yield card.at("ready")
    activation_app.set_code(step_token=app.token)
    releasing.release_holds()
    yield card.at("unsigned")
    yield from ended(card, "blocked", block)
    yield from ended(card, "revoked-when-unsigned", revoke)
    activation_app.complete(step_token=app.token, signature=card.signature)
    yield card.at("active")
    yield from ended(card, "revoked", revoke)
    yield from ended(card, "expired", expire)
    yield from ended(card, "without-eid", revoke_eid)


def ordinary_card(world: World, post: Post, further: Post, article: str = "631") -> Life:
    """Ordered for a person, and activated at a visit."""
    order = world.order(post, article=article)
    card = Situation("ordered", world, post, further, order.carrier_id, order, keys=making.new_keys())
    card = yield from last_of(production(card), "sent")
    yield from ended(card, "sent-without-eid", revoke_eid)
    yield from activation_of(card)


def card_for_tests(world: World, post: Post, further: Post) -> Life:
    """In use as soon as it is sent."""
    order = world.order(post, article=making.TEST_CARD)
    card = Situation("ordered", world, post, further, order.carrier_id, order, keys=making.new_keys())
    card = yield from last_of(production(card), "sent")
    yield from ended(card, "expired", expire)
    yield from ended(card, "without-eid", revoke_eid)


def reserve_card(world: World, post: Post, further: Post) -> Life:
    """Ordered for an office, lies in its stock, and is handed out more than once to one person."""
    order = bundle(world.region, world.office, 1)
    (carrier,) = Carrier.objects.filter(item__order=order)
    card = Situation("ordered", world, post, further, carrier.pk, order, keys=Blank())
    card = yield from last_of(production(card), "sent")
    yield from ended(card, "missing-on-the-way", lambda _it: receiving.report_missing(actor=world.officer(), order_id=order.pk))
    receiving.receive_bundle(actor=world.officer(), order_id=order.pk)
    yield card.at("in-stock")
    for action in ("missing", "damaged", "lost"):
        yield from ended(card, action, lambda it, action=action: change_stock(it, action))
    yield from ended(card, "revoked-in-stock", revoke)
    assert isinstance(card.keys, Blank)
    hand_out(card.keys, post, world.officer())
    yield card.at("reserved")
    yield from ended(card, "reserved-without-eid", revoke_eid)
    yield from ended(card, "revoked-when-reserved", revoke)
    card = yield from last_of(activation_of(card), "active")
    with undone():
        expire_eid(card)
        yield card.at("used")
        hand_out(card.keys, post, world.officer())  # type: ignore[arg-type]
        yield card.at("reserved-again")


def change_stock(card: Situation, action: str) -> Any:
    """What a clerk says of the card in stock."""
    lying = StockCard.objects.get(carrier=card.carrier_id)
    return stock_cards.change_card(actor=card.world.officer(), card_id=lying.pk, action=action)


def mobile_eid(world: World, post: Post, further: Post) -> Life:
    """On a device of the holder's. Its steps are taken here, without the device, of which `tests.issuance.mobile` knows."""
    carrier = making.mobile(post)
    card = Situation("ordered", world, post, further, carrier.pk)
    yield card
    with undone():
        making.step_mobile(card.carrier_id, CarrierAction.CANCEL)
        yield card.at("cancelled")
    yield from ended(card, "revoked-when-ordered", revoke)
    making.step_mobile(card.carrier_id, CarrierAction.SET_CODE)
    yield card.at("unsigned")
    yield from ended(card, "revoked-when-unsigned", revoke)
    making.step_mobile(card.carrier_id, CarrierAction.CONFIRM)
    yield card.at("active")
    yield from ended(card, "revoked", revoke)
    yield from ended(card, "expired", expire)


LIVES: dict[str, Callable[[World, Post, Post], Life]] = {
    "ordinary_card": ordinary_card,
    "reserve_card": reserve_card,
    "mobile_eid": mobile_eid,
    "test_card": card_for_tests,
}
