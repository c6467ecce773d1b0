"""Cards that another CA certified: all or none, scope for each row (S11), nothing twice."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance.authz import Role, system
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.imports.services import migration
from issuance.people.queries.scope_check import scope_faults
from issuance.records.models.events import Event
from issuance.suppliers.domain import EventOutcome, Produced, Sent
from issuance.suppliers.services import supplier_events, supplier_intake
from pki.models import Certificate
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.issuance.migrated import CA, migrated_card

pytestmark = pytest.mark.usefixtures("authorities")
ACTOR = system("migration")
DAY = dt.timedelta(days=1)


def test_a_card_in_use_is_active_without_a_receipt(world: Any) -> None:
    card = migrated_card(world.post(world.clinic), mifare_id="12AB")
    carrier = migration.register_migrated_card(actor=ACTOR, card=card, ca=CA)
    eid = Eid.objects.get()
    assert (carrier.state, carrier.origin, carrier.receipt, carrier.mifare_id) == ("active", "migrated", None, "12AB")
    assert (eid.state, eid.valid_to, eid.activated_at) == ("active", card.eid_valid_to, card.activated_at)
    certificates = Certificate.objects.filter(carrier_ref=f"carrier:{carrier.id}")
    assert {row.serial.lower() for row in certificates} == set(card.certificate_serials.values())
    assert not any(row.tbs_der for row in certificates)
    assert CarrierCertificate.objects.filter(eid=eid).count() == 2
    assert {event.action for event in Event.objects.filter(actor_ref=ACTOR.ref)} == {"carrier.migrated", "eid.migrated"}
    assert scope_faults().ok


def test_again_changes_nothing(world: Any) -> None:
    card = migrated_card(world.post())
    assert migration.register_migrated_cards(actor=ACTOR, cards=[card], ca=CA) == 1
    assert migration.register_migrated_cards(actor=ACTOR, cards=[card, migrated_card(world.post())], ca=CA) == 1
    assert (Carrier.objects.count(), Certificate.objects.count()) == (2, 8)


def test_many_take_as_many_queries_as_few(world: Any) -> None:
    counts = []
    for size in (2, 20):
        cards = [migrated_card(world.post()) for _ in range(size)]
        with CaptureQueriesContext(connection) as queries:
            migration.register_migrated_cards(actor=ACTOR, cards=cards, ca=CA)
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_all_or_none(world: Any) -> None:
    good, bad = migrated_card(world.post()), migrated_card(world.post(), card_serial="1")
    with pytest.raises(Invalid):
        migration.register_migrated_cards(actor=ACTOR, cards=[good, bad], ca=CA)
    assert not Carrier.objects.exists()
    assert not Certificate.objects.exists()


def test_scope_holds_for_each_row(world: Any) -> None:
    admin = world.officer(role=Role.MASTER_DATA_ADMIN)
    cards = [migrated_card(world.post()), migrated_card(world.post(protected=True))]
    with pytest.raises(NotFound):
        migration.register_migrated_cards(actor=admin, cards=cards, ca=CA)
    with pytest.raises(NotFound):
        migration.register_migrated_cards(actor=world.officer(role=Role.RESPONSIBLE_ISSUER), cards=cards[:1], ca=CA)
    assert not Carrier.objects.exists()
    assert migration.register_migrated_cards(actor=admin, cards=cards[:1], ca=CA) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"certificate_serials": {}},
        {"article_code": "999"},
        {"activated_at": clock.now() + DAY},
        {"eid_valid_to": clock.now() + 2000 * DAY},
        {"valid_from": clock.now()},
    ],
)
def test_what_cannot_be(world: Any, changes: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        migration.register_migrated_card(actor=ACTOR, card=migrated_card(world.post(), **changes), ca=CA)
    assert not Carrier.objects.exists()


def test_a_serial_stays_with_its_person(world: Any) -> None:
    card = migrated_card(world.post())
    migration.register_migrated_card(actor=ACTOR, card=card, ca=CA)
    with pytest.raises(Conflict, match="card-already-bound"):
        migration.register_migrated_card(actor=ACTOR, card=migrated_card(world.post(), card_serial=card.card_serial), ca=CA)


class TestExternallyCertified:
    """An order of ours, a card of ours, certificates of another CA."""

    def bind(self, order: Any, card: migration.MigratedCard, client_ref: str = "bureau") -> None:
        migration.bind_externally_certified_card(
            client_ref=client_ref, order_id=order.id, card_serial=card.card_serial,
            certificate_serials=card.certificate_serials, ca=CA,
        )  # fmt: skip

    def test_it_is_produced_without_a_puk_and_sent(self, world: Any) -> None:
        order = world.order()
        supplier_intake.accept(client_ref="bureau", order_id=order.id)
        card = migrated_card(order.eid.post)
        self.bind(order, card)
        self.bind(order, card)
        for event in (Produced("1", no_puk=True), Sent(clock.today())):
            outcome = supplier_events.register_event(client_ref="bureau", order_id=order.id, event=event)
            assert outcome is EventOutcome.APPLIED
        order.refresh_from_db()
        assert (order.state, order.carrier.state, order.carrier.puk_secret_id) == ("sent", "sent", None)
        assert Certificate.objects.count() == 4
        assert Event.objects.filter(action="carrier.serial_bound").count() == 1

    def test_one_card_one_order(self, world: Any) -> None:
        orders = [world.order(), world.order()]
        card = migrated_card(orders[0].eid.post)
        for order in orders:
            supplier_intake.accept(client_ref="bureau", order_id=order.id)
        self.bind(orders[0], card)
        with pytest.raises(Conflict):
            self.bind(orders[1], card)
        with pytest.raises(Conflict):
            self.bind(orders[0], migrated_card(orders[0].eid.post))
        with pytest.raises(NotFound):
            self.bind(orders[1], migrated_card(orders[1].eid.post), client_ref="another")


def test_no_role_below_the_central_administration(world: Any) -> None:
    with pytest.raises((Forbidden, NotFound)):
        migration.register_migrated_card(actor=world.officer(), card=migrated_card(world.post()), ca=CA)
