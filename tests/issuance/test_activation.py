"""Activation by the services: a card goes from SENT to ACTIVE by its own keys, and by nothing else."""

from typing import Any

import pytest

from issuance.models import Receipt
from tests.issuance.activated import App, identify, sent_card

pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture(autouse=True)
def _no_waiting(settings: Any) -> None:
    settings.EID_APP_WAIT_SECONDS = 0


def test_the_whole_way(world: Any) -> None:
    made = sent_card(world)
    opened = identify(world, made)
    app = App(made)
    app.start(opened)
    assert app.secrets["puk"] == "31415926"
    assert app.set_code() == "code_set"
    assert made.fresh().state == "activated_unsigned"
    carrier = app.complete()
    assert carrier.state == "active"
    assert Receipt.objects.get().carrier == made.fresh()
