"""The committed description against the running face: generated calls, right and wrong, over mutual TLS."""

import contextlib
import itertools
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.core.parameters import ParameterLocation

from tests.api_walk import CALLS, EACH, Names, Walk
from tests.described import CHECKS, GENERATED, PHASES
from tests.issuance.suppliers.api.cards import PaperCard, p256_keys
from tests.issuance.suppliers.api.test_surface import logotype, png
from tests.issuance.suppliers.api.world import World, today

pytestmark = pytest.mark.django_db(transaction=True)

DESCRIPTION = Path(__file__).resolve().parents[4] / "issuance" / "suppliers" / "api" / "v1" / "openapi.yaml"
schema = schemathesis.openapi.from_path(DESCRIPTION)


@pytest.fixture
def session(stage):
    """Supplier a's connection."""
    with requests.Session() as made:
        made.trust_env = False
        made.cert, made.verify = stage.certificates["a"], str(stage.server_ca)
        yield made


@pytest.fixture
def known(world: World, a):
    """Orders that exist: queued, accepted, cancelled by the clerk, another supplier's."""
    orders = [world.order(number) for number in range(3)]
    a("POST", f"orders/{orders[1]}/accept", key=uuid4().hex, json={})
    return itertools.cycle([*orders, None])


@pytest.mark.soak
@schema.parametrize()
@settings(
    max_examples=GENERATED,
    deadline=None,
    derandomize=True,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(case, stage, session, known) -> None:
    place = case.meta.components.get(ParameterLocation.PATH)
    parameters = case.path_parameters if place and place.mode.is_positive else {}
    if "order_id" in parameters and (order := next(known)):
        parameters["order_id"] = order
    if "customisation_id" in parameters and next(known):
        parameters["customisation_id"] = "7837803902"
    case.call_and_validate(
        base_url=stage.base_url, session=session, verify=session.verify, cert=session.cert, checks=CHECKS, timeout=60
    )


CUSTOMISATION = "0000000001"
"""A card customisation of supplier a that no order has, so that its logotype may change at any time."""


@dataclass
class Making:
    """What supplier a sends of its cards, and what clerks and workers do meanwhile. `named` has orders and their items."""

    world: World
    named: list[Names] = field(default_factory=list)
    cards: dict[tuple[str, int], PaperCard] = field(default_factory=dict)
    chance: Random = field(default_factory=lambda: Random(2))
    placed: int = 0

    def place(self, article: str) -> None:
        """A clerk orders a card."""
        self.placed += 1
        self.named.append({"order_id": self.world.order(self.placed, article=article), "item": 1})

    def meanwhile(self) -> None:
        """A clerk orders a card, and now and then withdraws one or revokes a card; the worker does what waits for it."""
        from issuance.customisations.models import CardCustomisation
        from issuance.orders.models.orders import CardOrder
        from issuance.orders.services import ordering
        from issuance.revocation.services import revocation
        from issuance.suppliers.services import remakes, supplier_events
        from siths_portal.lib import clock
        from siths_portal.lib.errors import Conflict

        CardCustomisation.objects.update(verified_at=clock.now())
        self.place(self.chance.choice(["631", "631-REK", "677"]))
        remakes.add_items()
        supplier_events.replay_all()
        order = self.chance.choice(self.named)["order_id"]
        with contextlib.suppress(Conflict):
            if self.placed % 5 == 0:
                ordering.cancel_order(actor=self.world.clerk, order_id=order)
            if self.placed % 7 == 0:
                carrier = CardOrder.objects.get(pk=order).carrier_id
                revocation.revoke_carrier(actor=self.world.clerk, carrier_id=carrier, reason="replaced")

    def known(self) -> list[Names]:
        """What calls may name."""
        return [*self.named, {"customisation_id": CUSTOMISATION}, {"customisation_id": "7837803902"}]

    def heard(self, operation: str, called: Names, body: Any) -> None:
        """Keeps the items that are made in place of others."""
        if operation == "remake_item":
            self.named.append({**called, "item": body["item"]})

    def certificates(self, names: Names, _key: str = "") -> dict[str, Any]:
        """The body with a card's requests."""
        return self._card(names).request()

    def report(self, names: Names, _key: str = "") -> dict[str, Any]:
        """The body of a report, mostly of the next."""
        from pki import service as pki

        kind = self.chance.choice(["produced"] * 3 + ["sent"] * 3 + ["failed", "returned"])
        bodies = {
            "sent": {"type": "sent", "sent_on": today(), "registered_mail_id": "LA00R351935SE"},
            "failed": {"type": "failed", "reason": "spoilt"},
            "returned": {"type": "returned"},
        }
        if kind in bodies:
            return bodies[kind]
        return self._card(names).produced(names.get("order_id", ""), pki.secret_jwks()["keys"][0])

    def batch(self, body: Any) -> Any:
        """The body of a batch with some orders that exist, and `body` of each."""

        def entries(_names: Names, _key: str) -> dict[str, Any]:
            chosen = self.chance.sample(self.named, self.chance.randint(1, 4))
            return {"entries": [{"order": each["order_id"], **body(each)} for each in chosen]}

        return entries

    def lawful(self) -> dict[str, Any]:
        """The bodies by operation."""
        spoilt = {"reason": "misprint", "fault": "supplier"}
        return {
            "request_certificates": self.certificates,
            "request_item_certificates": self.certificates,
            "report_event": self.report,
            "report_item_event": self.report,
            "remake_item": lambda names, _key: {"item": names.get("item", 1), **spoilt},
            "accept_orders": self.batch(lambda _names: {}),
            "request_batch_certificates": self.batch(lambda names: {"item": names["item"], "body": self.certificates(names)}),
            "report_events": self.batch(lambda names: {"item": names["item"], "body": self.report(names)}),
            "put_customisation": lambda _names, _key: logotype(png(self.chance.choice(["navy", "red", "white"]))),
        }

    def _card(self, names: Names) -> PaperCard:
        key = names.get("order_id", ""), names.get("item", 1)
        return self.cards.setdefault(key, PaperCard(keys=p256_keys()))


@pytest.fixture
def making(world: World, a) -> Making:
    """Orders of a, and one of b."""
    from issuance.customisations.models import CardCustomisation
    from siths_portal.lib import clock

    made = Making(world)
    CardCustomisation.objects.update(supplier_ref="b")
    made.place("631")
    CardCustomisation.objects.update(supplier_ref="a")
    CardCustomisation.objects.create(customisation_id=CUSTOMISATION, name="K", supplier_ref="a", verified_at=clock.now())
    for article in ("631", "677", "631-REK"):
        made.place(article)
    a("PUT", f"card-customisations/{CUSTOMISATION}", json=logotype(png()), headers={"If-Match": "*"})
    return made


@pytest.mark.soak
def test_a_walk_reaches_every_operation(making: Making, stage, session, worker) -> None:
    """Queued orders come to their ends by generated and by lawful calls, while clerks and workers go on."""
    wire = {"base_url": stage.base_url, "session": session, "verify": session.verify, "cert": session.cert, "timeout": 60}
    walk = Walk(schema, lambda case: case.call(**wire), making.known, making.heard, making.lawful(), making.meanwhile)
    walk.go()
    assert walk.unreached() == {}
    assert walk.fewest >= EACH
    assert walk.calls >= CALLS
