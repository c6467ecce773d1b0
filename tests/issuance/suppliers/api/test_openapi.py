"""The committed description against the running face: generated calls, right and wrong, over mutual TLS."""

import itertools
import os
from pathlib import Path
from uuid import uuid4

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.core.parameters import ParameterLocation

from tests.described import CHECKS
from tests.issuance.suppliers.api.world import World

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
    max_examples=300 if os.environ.get("SITHS_LONG") else 15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
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
