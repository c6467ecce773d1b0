"""Bundles that a supplier has sent, for tests of the stock."""

from collections.abc import Callable
from typing import Any

from issuance.carriers.models import Carrier
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder
from issuance.stock.models import StockCard
from issuance.stock.services import receiving
from issuance.suppliers.domain import Produced, Sent
from issuance.suppliers.services import supplier_events, supplier_intake
from pki.models import CaState
from siths_portal.lib import clock
from tests.issuance.authorities import issue, make_authority, serial_of
from tests.issuance.orders.bundles import bundle, prepare
from tests.issuance.orders.test_bundles import certify
from tests.issuance.world import SUPPLIER


def with_stock(world: Any) -> None:
    """Makes it possible to order bundles and to make their cards, with CAs that only plan."""
    prepare(world.region, world.office)
    make_authority("person-hsaid-2", "DEMO SITHS e-id Person HSA-id 2 CA v1", CaState.ACTIVE)


def sent_bundle(
    world: Any, quantity: int = 3, *, first: int = 1, sign: Callable[[Any], Any] = issue, office: Office | None = None
) -> CardOrder:
    """A bundle that the supplier made and reported sent. `sign` does the signer's part. `office` is the world's unless given."""
    order = bundle(world.region, office or world.office, quantity)
    supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
    for item in range(1, quantity + 1):
        sign(certify(order, item, serial_of(first + item - 1)))
        for event in (Produced("1", no_puk=True), Sent(clock.today())):
            supplier_events.register_event(client_ref=SUPPLIER, order_id=order.id, item=item, event=event)
    return order


def received_bundle(
    world: Any, quantity: int = 3, *, first: int = 1, sign: Callable[[Any], Any] = issue, office: Office | None = None
) -> list[StockCard]:
    """The cards of a sent bundle that its office has received."""
    order = sent_bundle(world, quantity, first=first, sign=sign, office=office)
    receiving.receive_bundle(actor=world.officer(), order_id=order.pk)
    return list(StockCard.objects.filter(carrier__item__order=order).select_related("carrier").order_by("carrier__card_serial"))


def states(order: CardOrder) -> list[tuple[str, str]]:
    """The states of the carriers and stock cards of a bundle, by serial number."""
    rows = Carrier.objects.filter(item__order=order).order_by("card_serial")
    return list(rows.values_list("state", "stock__state"))
