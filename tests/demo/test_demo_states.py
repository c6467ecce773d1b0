"""The demo's people with cards in every state: once however often it is loaded, and a guide that names each."""

import re
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from issuance.authz import Action
from issuance.carriers.models import Carrier, Eid
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Post
from issuance.people.queries.scope_check import scope_faults
from issuance.records.models.events import Event
from issuance.register_care.models import WorkItem
from siths_portal.demo import cases, guide, history, newcomers, own_cards, states
from tests.demo.test_demo_history import demo, neighbours
from tests.issuance.person_page.test_pages import migrated

__all__ = ["demo", "neighbours"]  # fixtures


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
    written = guide.file().read_text()
    made = 4 + states.READY + len(("mobile", "returned", "failed", "two assignments")) + len(cases.news())
    assert len(re.findall(r"^ *18\d{6}-9[89]\d\d  \S", written, re.M)) == made + len(
        (*newcomers.newcomers(), *newcomers.employees())
    )
    assert all(step in written for step in ("generella kortanpassningen", "utbildning och personkontroll"))
    assert not re.search(r"\d{8}-", said)
    assert scope_faults().ok
    each_case_is_there(written)
    before = (Event.objects.count(), Carrier.objects.count())
    call_command("demo_load", persons=200, stdout=StringIO())
    assert load() == said
    assert (Event.objects.count(), Carrier.objects.count()) == before
    assert guide.file().read_text() == written


def each_case_is_there(written: str) -> None:
    """A mobile eID to revoke, a returned card to make again, those under 18, and a row of each kind about persons and names."""
    mobile = Carrier.objects.get(kind="mobile_eid")
    assert (mobile.state, mobile.device.endswith("s telefon"), mobile.certificates.count()) == ("active", True, 2)
    assert mobile.person.carriers.filter(kind="ordinary_card", state="active").count() == 1
    failed = CardOrder.objects.get(state="failed")
    assert failed.failure_reason == "chip-defect"
    two = Carrier.objects.get(person__identifiers__value=cases.two_assignments().person_id.value)
    officer = history.officer(Organisation.objects.get(hsa_id=states.PLACE))
    assert Post.objects.visible_to(officer, Action.ORDER_EID).filter(person=two.person_id).count() == 2
    came_back = CardOrder.objects.with_card().get(state="returned")
    assert came_back.carrier.revocation_reason == "returned"
    assert re.search(r"^  20\d{6}-\d{4}  15 år$", written, re.M)
    assert "Vårdnadshavare som kan intyga" in written
    call_command("issuance_register_care", quiet=True, stdout=StringIO())
    found = set(WorkItem.objects.values_list("kind", flat=True))
    expected = {"deceased", "newly_protected", "renamed", "name_differs", "ended", "silent_order", "renamed_organisation"}
    assert found >= expected


def test_the_guide_keeps_what_the_walk_wrote(settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    guide.write_people(["a", "b"])
    assert guide.file().read_text() == "a\nb\n"
    guide.write_walk(["c"])
    guide.write_people(["d"])
    guide.write_walk(["e"])
    assert guide.file().read_text() == f"d\n\n{guide.AFTER_THE_WALK}\n\ne\n"
    assert guide.file().stat().st_mode & 0o777 == 0o600


def test_an_officers_card_is_used_again_while_it_is_valid(authorities: None, world: Any, settings: Any, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    card = migrated(world.post())
    own_cards.keep(card.person_id, own_cards.OwnCard(card.card_serial, "20304050"))
    assert own_cards.kept(card.person_id) is None, "it is not in the reader"
    own_cards.folder(card.card_serial).mkdir(parents=True)
    assert own_cards.kept(card.person_id) == own_cards.OwnCard(card.card_serial, "20304050")
    Carrier.objects.update(state="revoked")
    assert own_cards.kept(card.person_id) is None


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
    assert Carrier.objects.filter(state="ordered", item__order__supplier_ref="kortleverantor-1").count() == 4 + states.READY
