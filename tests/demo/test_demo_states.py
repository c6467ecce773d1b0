"""The demo's people with cards in every state: once however often it is loaded, and a guide that names each."""

import re
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command

from issuance.carriers.models import Carrier, Eid
from issuance.people.queries.scope_check import scope_faults
from issuance.records.models.events import Event
from siths_portal.demo import newcomers, states
from tests.demo.test_demo_history import neighbours

__all__ = ["neighbours"]  # a fixture
pytestmark = pytest.mark.usefixtures("authorities")


def load() -> str:
    out = StringIO()
    call_command("demo_states", stdout=out)
    return out.getvalue()


def test_every_state_is_there_once(neighbours: Any) -> None:
    said = load()
    assert set(Carrier.objects.values_list("state", flat=True)) == {"ordered", "active", "revoked", "expired", "cancelled"}
    assert set(Eid.objects.values_list("state", flat=True)) == {"ordered", "active", "revoked", "expired", "cancelled"}
    assert Eid.objects.filter(state="revoked", carrier__state="active").count() == 1
    whole = Carrier.objects.get(card_serial=states.serial_of(1)).person
    assert sorted(whole.carriers.values_list("state", flat=True)) == ["active", "expired", "ordered", "revoked"]
    guide = (settings.VAR_DIR / "demo" / "guide.txt").read_text()
    assert len(re.findall(r"^ *18\d{6}-9[89]\d\d  \S", guide, re.M)) == 4 + states.READY + len(
        (*newcomers.newcomers(), *newcomers.employees())
    )
    assert all(step in guide for step in ("generella kortanpassningen", "utbildning och personkontroll"))
    assert not re.search(r"\d{8}-", said)
    assert scope_faults().ok
    before = (Event.objects.count(), Carrier.objects.count())
    assert load() == said
    assert (Event.objects.count(), Carrier.objects.count()) == before
    assert (settings.VAR_DIR / "demo" / "guide.txt").read_text() == guide


def test_a_supplier_that_was_first_is_no_fault(neighbours: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from issuance.orders.services import ordering
    from issuance.suppliers.services import supplier_intake

    submit = ordering.submit_order

    def taken_at_once(**order: Any) -> Any:
        placed = submit(**order)
        supplier_intake.accept(client_ref="kortleverantor-1", order_id=placed.id)
        placed.refresh_from_db()
        return placed

    monkeypatch.setattr(ordering, "submit_order", taken_at_once)
    load()
    assert not Carrier.objects.filter(state="cancelled").exists()
    assert Carrier.objects.filter(state="ordered", item__order__supplier_ref="kortleverantor-1").count() == 3 + states.READY
