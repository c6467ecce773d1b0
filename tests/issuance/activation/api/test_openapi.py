"""The committed description against the running portal: generated calls, right and wrong."""

import itertools
import os
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import unsupported_method

from tests.described import CHECKS
from tests.issuance.activated import identify, sent_card
from tests.issuance.activation.api.wire import Wire

pytestmark = pytest.mark.django_db(transaction=True)

DESCRIPTION = Path(__file__).resolve().parents[4] / "issuance" / "activation" / "api" / "v1" / "openapi.yaml"


schema = schemathesis.openapi.from_path(DESCRIPTION)


@pytest.fixture
def bearers(portals: Any, world: Any, worker: Any) -> Any:
    """What callers show: a handle, a step token, a token that is none."""
    portals.ensure(EID_APP_CALLS_PER_MINUTE="100000", ACTIVATION_WRONG_PROOFS="10000")
    made = sent_card(world)
    wire = Wire(portals, made, identify(world, made))
    wire.start()
    return itertools.cycle([wire.opened.handle, wire.token, "act." + "A" * 22])


@pytest.mark.soak
@schema.parametrize()
@settings(
    max_examples=300 if os.environ.get("SITHS_LONG") else 20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
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
            checks=[check for check in CHECKS if check is not unsupported_method],
        )


def test_the_operations_are_the_agreed_ones() -> None:
    assert {operation.ok().path for operation in schema.get_all_operations()} == {
        f"/api/eidapp/v1/transaction/{step}" for step in ("start", "card-report", "code-set", "complete", "cancel")
    }
