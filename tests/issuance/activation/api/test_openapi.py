"""The committed description against the running portal: generated calls, right and wrong."""

import itertools
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import unsupported_method

from tests.api_walk import CALLS, EACH, Names, Walk, operation_id
from tests.described import CHECKS, GENERATED, PHASES
from tests.issuance.activated import Made, identify, sent_card
from tests.issuance.activation.api.wire import Wire
from tests.issuance.carriers import making

pytestmark = pytest.mark.django_db(transaction=True)

DESCRIPTION = Path(__file__).resolve().parents[4] / "issuance" / "activation" / "api" / "v1" / "openapi.yaml"


schema = schemathesis.openapi.from_path(DESCRIPTION)
ANSWERED = [check for check in CHECKS if check is not unsupported_method]
GENEROUS = {"EID_APP_CALLS_PER_MINUTE": "100000", "ACTIVATION_WRONG_PROOFS": "10000", "SECRET_DELIVERIES_PER_DAY": "10000"}


@pytest.fixture
def bearers(portals: Any, world: Any, worker: Any) -> Any:
    """What callers show: a handle, a step token, a token that is none."""
    portals.ensure(**GENEROUS)
    made = sent_card(world)
    wire = Wire(portals, made, identify(world, made))
    wire.start()
    return itertools.cycle([wire.opened.handle, wire.token, "act." + "A" * 22])


@pytest.mark.soak
@schema.parametrize()
@settings(
    max_examples=GENERATED,
    deadline=None,
    derandomize=True,
    phases=PHASES,
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_described(case: Any, portals: Any, bearers: Any) -> None:
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {next(bearers)}"}
    with requests.Session() as session:
        session.trust_env = False
        case.call_and_validate(
            base_url=portals.url,
            session=session,
            timeout=60,
            checks=ANSWERED,
        )


def test_the_operations_are_the_agreed_ones() -> None:
    assert {operation.ok().path for operation in schema.get_all_operations()} == {
        f"/api/eidapp/v1/transaction/{step}"
        for step in ("start", "certificates", "card-report", "code-set", "complete", "cancel")
    }


@dataclass
class Visits:
    """Visits of holders to one clerk, one after another: cards, their transactions, and what the app shows and sends."""

    portals: Any
    world: Any
    clerk: Any
    chance: Random = field(default_factory=lambda: Random(4))
    made: Made | None = None
    wire: Wire | None = None
    calls: int = 0

    def next(self) -> Wire:
        """The clerk identifies a holder, and the app starts: of the same card until it is active."""
        if self.made is None or self.made.fresh().state not in ("sent", "activated_unsigned"):
            self.made = sent_card(self.world, actor=self.clerk, keys=making.new_keys())
        wire = Wire(self.portals, self.made, identify(self.world, self.made, actor=self.clerk))
        wire.start()
        self.wire = wire
        return wire

    def send(self, case: Any) -> Any:
        """Sends the case with a bearer, mostly the one that the step takes."""
        self.calls += 1
        wire = self.wire if self.wire and self.calls % 40 else self.next()
        right, other = (wire.opened.handle, wire.token) if operation_id(case) == "start_transaction" else (wire.token, "act.x")
        case.headers["Authorization"] = f"Bearer {right if self.chance.random() < 0.8 else other}"
        with requests.Session() as session:
            session.trust_env = False
            return case.call(base_url=self.portals.url, session=session, timeout=60)

    def heard(self, operation: str, _named: Names, body: Any) -> None:
        """A transaction that has ended is followed by the next."""
        if body.get("state") in ("cancelled", "completed") and operation != "report_card":
            self.wire = None

    def completed(self, _names: Names, _key: str) -> dict[str, str]:
        """The holder's signature, mostly over other bytes, so that the card lasts for some visits."""
        return (self.wire or self.next()).signature(over=None if self.chance.random() < 0.2 else b"other")

    def lawful(self) -> dict[str, Any]:
        """The bodies by operation."""
        return {
            "start_transaction": lambda _names, _key: (self.wire or self.next()).body(),
            "complete_transaction": self.completed,
        }


@pytest.mark.soak
def test_a_walk_reaches_every_operation(portals: Any, world: Any, worker: Any) -> None:
    """Transactions are started, continued and ended, by generated and by lawful calls."""
    portals.ensure(**GENEROUS)
    visits = Visits(portals, world, world.officer())
    visits.next()
    walk = Walk(schema, visits.send, heard=visits.heard, lawful=visits.lawful(), checks=ANSWERED)
    walk.go()
    assert walk.unreached() == {}
    assert walk.fewest >= EACH
    assert walk.calls >= CALLS
