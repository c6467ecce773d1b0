"""Orders that do not go the usual way, by pull and by push: from the supplier's calls to the clerk's page and the invoice."""

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import transaction
from django.urls import reverse

from siths_portal.lib import clock
from tests.issuance.orders.wizard import text_of
from tests.issuance.suppliers.api.cards import PaperCard, csr, p256_keys
from tests.issuance.suppliers.api.stage import wait_for
from tests.issuance.suppliers.api.test_orders import accept
from tests.issuance.suppliers.api.world import World, today
from tests.issuance.suppliers.push.conftest import push_folder, running_receiver
from tests.portal import portal_client

__all__ = ["push_folder", "running_receiver"]
pytestmark = pytest.mark.django_db(transaction=True)


class Making:
    """The supplier's calls for one order."""

    def __init__(self, client: Any, order: str, take: Callable[[], None]) -> None:
        self.client, self.order, self.take = client, order, take
        self.key = client("GET", "keys").json()["keys"][0]
        self.cards: dict[int, PaperCard] = {}

    def post(self, path: str, body: dict[str, Any]) -> Any:
        answer = self.client("POST", f"orders/{self.order}/{path}", key=uuid4().hex, json=body)
        assert answer.status_code in (200, 201, 202), answer.text
        return answer.json()

    def report(self, item: int, kind: str, **body: Any) -> Any:
        return self.post(f"items/{item}/events", {"type": kind, **body})

    def item(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.client("GET", f"orders/{self.order}/items?after={number - 1}").json()["items"][0]
        return found

    def certify(self, item: int, **changes: Any) -> None:
        card = self.cards[item] = PaperCard(keys=p256_keys())
        self.post(f"items/{item}/certificates", card.request(**changes))

    def produce(self, item: int, puk: str = "sealed", **changes: str) -> None:
        """Reports the card with its PUK, and waits for what becomes of the PUK."""
        self.post(f"items/{item}/events", self.cards[item].produced(self.order, self.key, **changes))
        wait_for("the PUK", lambda: self.item(item)["puk"] == puk)

    def send(self, item: int) -> None:
        assert self.report(item, "sent", sent_on=today()) == {"outcome": "applied"}

    def make(self, item: int = 1) -> None:
        self.certify(item)
        self.produce(item)
        self.send(item)


def puk_refused(making: Making, _world: World) -> None:
    """The PUK was encrypted for another card. The supplier sends it again."""
    making.certify(1)
    making.produce(1, "refused", serial="9752269000000000000")
    assert making.item(1)["puk_refusal"]
    making.produce(1)
    making.send(1)


def spoilt(making: Making, _world: World) -> None:
    """The first card is spoilt before it is sent."""
    from issuance.suppliers.services import remakes

    making.certify(1)
    assert making.post("remake", {"item": 1, "reason": "misprint", "fault": "supplier"}) == {"item": 2}
    remakes.add_items()
    making.make(2)
    assert making.item(1)["state"] == "remade"


def returned(making: Making, world: World) -> None:
    """The card comes back, the clerk has another one made, and the supplier gets the order again."""
    from issuance.orders.domain.items import Fault
    from issuance.orders.services import remaking

    making.make(1)
    making.report(1, "returned", reason="undeliverable")
    remaking.remake_returned(actor=world.clerk, order_id=making.order, number=1, fault=Fault.SUPPLIER)
    making.take()
    making.make(2)
    assert making.item(1)["state"] == "returned"


def withdrawn(making: Making, _world: World) -> None:
    """The clerk withdrew the order before the supplier had it."""
    assert making.client("GET", f"orders/{making.order}").json()["status"] == "cancelled"
    changes = making.client("GET", "changes").json()["changes"]
    assert [each["kind"] for each in changes if each["order"] == making.order] == ["cancelled"]


def bundle(making: Making, _world: World) -> None:
    """Two reserve cards, which have a transport certificate and no holder."""
    for item in (1, 2):
        making.certify(item, csrs={"transport": csr(ec.generate_private_key(ec.SECP256R1()))})
        making.report(item, "produced", mifare_id="0123456789", no_puk=True)
        making.send(item)


def letter(making: Making, world: World) -> None:
    """The holder of the first card, now active, gets a letter with its PUK."""
    from issuance.carriers.models import Carrier
    from issuance.orders.models.orders import CardOrder
    from issuance.orders.services.letters import Letter, order_letter

    card, now = CardOrder.objects.get(pk=making.order).carrier, clock.now()
    Carrier.objects.filter(pk=card.pk).update(state="active", origin="migrated", activated_at=now, code_set_at=now)
    order = order_letter(actor=world.clerk, letter=Letter(card.pk, world.office.pk), idempotency_key=uuid4().hex)
    making.take()
    printing = Making(making.client, str(order.pk), making.take)
    path = f"orders/{order.pk}/puk"
    wait_for("the letter's PUK", lambda: making.client("GET", path).status_code == 200)
    assert making.client("GET", path).status_code == 410, "it is handed out once"
    printing.report(1, "produced")
    printing.send(1)


CASES: dict[str, Callable[[Making, World], None]] = {
    "puk-refused": puk_refused, "spoilt": spoilt, "returned": returned, "withdrawn": withdrawn, "bundle": bundle,
    "letter": letter,
}  # fmt: skip
SENT = "Skickad till innehavaren"
ON_THE_PAGE = {
    "puk-refused": [SENT, "Portalen har upplåsningskoden"],
    "spoilt": [SENT, "Visa ogiltiga bärare"],
    "returned": [SENT, "Visa ogiltiga bärare"],
    "withdrawn": ["Inget giltigt kort", "Visa ogiltiga bärare"],
    "letter": ["Ett brev med kortets upplåsningskod (PUK) beställdes"],
}
"""What the page of the order's person or its history says."""


def ordered(world: World) -> dict[str, str]:
    """The orders by case; one of them is withdrawn, and the letter is about the card of another one."""
    from issuance.orders.services import ordering
    from issuance.organisations.models import Organisation
    from tests.issuance.orders import bundles

    world.area.invoice_reference = "9200101"
    world.area.save()
    bundles.prepare(world.organisation, world.office, supplier="a")
    cards = [name for name in CASES if name not in ("bundle", "letter")]
    orders = {name: world.order(number) for number, name in enumerate(cards, start=1)}
    orders["bundle"] = str(bundles.bundle(Organisation.objects.get(pk=world.organisation.pk), world.office, 2).pk)
    orders["letter"] = orders["puk-refused"]
    ordering.cancel_order(actor=world.clerk, order_id=orders["withdrawn"])
    return orders


@pytest.fixture(params=["pull", "push"])
def take(request: Any, world: World, a: Any, settings: Any) -> Callable[[], None]:
    """Brings the queued orders to the supplier: it asks for them, or the portal calls it."""

    def pull() -> None:
        for order in a("GET", "orders?status=queued").json()["orders"]:
            assert accept(a, order["id"]).status_code == 200

    def push() -> None:
        assert push_to("a") is None

    if request.param == "pull":
        return pull

    from authn.models import ServiceClient
    from issuance.tasks import push_to

    receiver, folder = request.getfixturevalue("running_receiver"), request.getfixturevalue("push_folder")
    receiver.clear()
    settings.SUPPLIER_PUSH_HOSTS, settings.SUPPLIER_PUSH_FOLDER = [receiver.host], str(folder)
    ServiceClient.objects.filter(client_ref="a").update(push={"url": receiver.url, "keys": receiver.keys})
    return push


def test_each_case_goes_from_the_call_to_the_invoice(
    worker: Path, demo_pki: Any, world: World, a: Any, take: Callable[[], None]
) -> None:
    print_letters(demo_pki)
    orders = ordered(world)
    take()
    for name, case in CASES.items():
        case(Making(a, orders[name], take), world)
    shown = pages(world, orders)
    assert [(name, text) for name, texts in ON_THE_PAGE.items() for text in texts if text not in shown[name]] == []
    assert lines() == [("631, K", 3, 225), ("RESERV, K", 2, 120), ("PUK, K", 1, 45), ("631 omtillverkning, K", 2, 0)]


def print_letters(demo_pki: Any) -> None:
    """Gives supplier a the certificate without which it gets no letters."""
    from authn.models import ServiceClient
    from tests.pki.letter_printer import Printer

    printer = Printer("a")
    printer.certify(demo_pki)
    ServiceClient.objects.filter(client_ref="a").update(letter_certificate=printer.sha256)


def pages(world: World, orders: dict[str, str]) -> dict[str, str]:
    """The page of each order's person and its history by case, as an ID-administrator sees them."""
    from issuance.authz import Role
    from issuance.orders.models.orders import CardOrder
    from issuance.people.models.person_scope import PersonScope
    from issuance.people.models.persons import Person
    from issuance.roles.models.grants import RoleGrant
    from tests.issuance.world import qualify

    clerk = Person.objects.get(posts=world.person(30))
    qualify(clerk.pk)
    of = {"organisation": world.organisation, "valid_from": clock.now()}
    RoleGrant.objects.create(person=clerk, role=Role.ID_ADMINISTRATOR.value, **of)
    holders = {name: CardOrder.objects.get(pk=orders[name]).person_id for name in ON_THE_PAGE}
    with transaction.atomic():
        PersonScope.objects.refresh([clerk.pk, *holders.values()])
    client = portal_client(clerk)
    return {
        name: "".join(text_of(client.get(reverse(page, args=[holder]))) for page in ("person", "person_history"))
        for name, holder in holders.items()
    }


def lines() -> list[tuple[str, Decimal, Decimal]]:
    """The lines of the month's only invoice: text, pieces and amount."""
    from billing.customers.services.demo import load_demo_prices
    from billing.invoices.models import Invoice
    from billing.records.domain.periods import Month
    from billing.service import run_month

    load_demo_prices()
    month = Month.of(clock.now())
    with clock.moved_to(month.end + dt.timedelta(hours=30)):
        run_month(month, actor_ref="user:test", issue=True)
    return [(line.text, line.quantity, line.net) for line in Invoice.objects.get().lines.order_by("position")]
