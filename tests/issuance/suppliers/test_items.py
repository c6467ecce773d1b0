"""State and PUK belong to the items of an order: each is reported by itself, and the order goes where all of them are."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance import service
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.orders.models.orders import CardOrder
from issuance.orders.services import ordering
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.suppliers import queries
from issuance.suppliers.domain import EventOutcome, Failed, Produced, Returned, Sent
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from siths_portal.lib import clock
from siths_portal.lib.database import feeds
from siths_portal.lib.errors import Conflict, NotFound
from tests.issuance.authorities import card, issue, open_puks, puk_jwe
from tests.issuance.suppliers.items import add_card, states
from tests.issuance.suppliers.test_supplier_intake import ME, OTHER, accepted
from tests.issuance.suppliers.test_supplier_intake import steps as steps_of

pytestmark = pytest.mark.usefixtures("authorities")


def two(world: Any) -> CardOrder:
    """An accepted order of two cards."""
    order = world.order()
    add_card(order)
    return supplier_intake.accept(client_ref=ME, order_id=order.id)


def certify(order: CardOrder, item: int) -> None:
    made = card(item)
    ids = card_certificates.request_certificates(
        client_ref=ME, order_id=order.id, item=item, card_serial=made.serial, card_key_spki=made.key, csrs=made.csrs
    )
    issue(ids)


def report(order: CardOrder, item: int | None, event: Any) -> EventOutcome:
    return supplier_events.register_event(client_ref=ME, order_id=order.id, item=item, event=event)


def produced(order: CardOrder, item: int) -> Produced:
    return Produced(f"{item:010}", puk_jwe(order.id, card(item).serial))


def sent(order: CardOrder, item: int) -> None:
    """Takes an item from waiting to sent."""
    certify(order, item)
    report(order, item, produced(order, item))
    open_puks()
    report(order, item, Sent(clock.today()))


class TestProgress:
    """The order has the state that all its items have reached."""

    def test_an_order_goes_where_all_its_items_are(self, world: Any) -> None:
        order = two(world)
        certify(order, 1)
        assert states(order) == ("accepted", ["in_production", "waiting"])
        report(order, 1, produced(order, 1))
        certify(order, 2)
        assert states(order) == ("in_production", ["produced", "in_production"])
        report(order, 2, produced(order, 2))
        assert states(order) == ("produced", ["produced", "produced"])
        open_puks()
        report(order, 2, Sent(clock.today(), "LA00R351935SE"))
        assert states(order) == ("produced", ["produced", "sent"])
        assert not service.billable_facts(feeds.START, limit=1)
        report(order, 1, Sent(clock.today(), "LA00R351936SE"))
        assert states(order) == ("sent", ["sent", "sent"])
        assert [event.action for event in steps_of("order", order.id)] == [
            "order.submitted", "order.accepted", "order.production_started", "order.produced", "order.sent",
        ]  # fmt: skip
        assert set(Carrier.objects.values_list("state", flat=True)) == {"sent"}
        assert {fact.order_id for fact in service.billable_facts(feeds.START, limit=5)} == {order.id}
        assert verify_states().wrong == ()

    def test_a_spoilt_item_does_not_hold_up_the_others(self, world: Any) -> None:
        order = two(world)
        sent(order, 1)
        assert report(order, 2, Failed("misprint")) is EventOutcome.APPLIED
        assert states(order) == ("sent", ["sent", "failed"])
        order.refresh_from_db()
        assert (order.sent_on, order.sent_at is not None, order.produced_at is not None) == (clock.today(), True, True)
        assert order.failure_reason == ""
        assert verify_states().wrong == ()

    def test_an_order_fails_when_no_item_is_left(self, world: Any) -> None:
        order = two(world)
        certify(order, 1)
        report(order, 1, Failed("misprint"))
        assert states(order) == ("accepted", ["failed", "waiting"])
        report(order, 2, Failed("no-material"))
        assert states(order) == ("failed", ["failed", "failed"])
        order.refresh_from_db()
        assert order.failure_reason == "no-material"
        assert sorted(Carrier.objects.values_list("state", flat=True)) == ["cancelled", "revoked"]

    def test_an_order_is_returned_when_each_item_came_back(self, world: Any) -> None:
        order = two(world)
        sent(order, 1)
        sent(order, 2)
        report(order, 1, Returned())
        assert states(order) == ("sent", ["returned", "sent"])
        report(order, 2, Returned("address-unknown"))
        assert states(order) == ("returned", ["returned", "returned"])
        assert set(Carrier.objects.values_list("state", flat=True)) == {"revoked"}

    def test_a_withdrawn_order_takes_its_items_along(self, world: Any) -> None:
        order = world.order()
        ordering.cancel_order(actor=world.officer(), order_id=order.id)
        assert states(order) == ("cancelled", ["cancelled"])
        revoked = world.order()
        revocation.revoke_carrier(actor=world.officer(), carrier_id=revoked.carrier_id, reason=RevocationReason.REPLACED)
        assert states(revoked) == ("cancelled", ["cancelled"])
        assert verify_states().wrong == ()


class TestCalls:
    """Which item a call means."""

    def test_a_call_without_an_item_means_the_only_one(self, world: Any) -> None:
        order = two(world)
        acts = [
            lambda: report(order, None, Failed("misprint")),
            lambda: supplier_intake.certificate_ids(client_ref=ME, order_id=order.id),
            lambda: card_certificates.request_certificates(
                client_ref=ME, order_id=order.id, card_serial=card(1).serial, card_key_spki=card(1).key, csrs=card(1).csrs
            ),
        ]
        for act in acts:
            with pytest.raises(Conflict) as refused:
                act()
            assert refused.value.code == "order-has-items"
        assert states(order) == ("accepted", ["waiting", "waiting"])

    def test_an_item_that_the_order_has_not_is_unknown(self, world: Any) -> None:
        order = accepted(world)
        for number in (2, 9999, 10**12):
            with pytest.raises(NotFound, match="item-unknown"):
                report(order, number, Failed("misprint"))
        assert report(order, 1, Failed("misprint")) is EventOutcome.APPLIED

    def test_each_item_has_its_own_certificates_and_reports(self, world: Any) -> None:
        order = two(world)
        certify(order, 2)
        assert supplier_intake.certificate_ids(client_ref=ME, order_id=order.id, item=1) == {}
        assert len(supplier_intake.certificate_ids(client_ref=ME, order_id=order.id, item=2)) == 4
        assert CarrierCertificate.objects.values("carrier").distinct().count() == 1
        assert report(order, 1, produced(order, 1)) is EventOutcome.PARKED
        assert report(order, 2, produced(order, 2)) is EventOutcome.APPLIED
        noted = Event.objects.filter(action="order.report_noted")
        assert [event.facts for event in noted] == [{"kind": "produced", "outcome": "parked"}]
        certify(order, 1)
        supplier_events.replay_all()
        assert states(order) == ("produced", ["produced", "produced"])


class TestPuks:
    """A PUK is its item's."""

    def test_a_refused_puk_concerns_its_item_alone(self, world: Any) -> None:
        order = two(world)
        for item in (1, 2):
            certify(order, item)
        report(order, 1, produced(order, 1))
        open_puks("format")
        report(order, 2, produced(order, 2))
        open_puks()
        shown = queries.items_after(client_ref=ME, order_id=order.id, number=0, limit=5)
        assert [(item.puk, item.puk_refusal) for item in shown] == [("refused", "format"), ("sealed", "")]
        assert report(order, 2, Sent(clock.today())) is EventOutcome.APPLIED
        assert report(order, 1, Sent(clock.today())) is EventOutcome.PARKED
        change = [row for row in queries.changes_after(client_ref=ME, number=0, limit=9) if row.order_id]
        assert [(row.kind, row.item, row.reason) for row in change] == [("puk_refused", 1, "format")]
        report(order, 1, produced(order, 1))
        open_puks()
        assert states(order) == ("sent", ["sent", "sent"])


class TestLists:
    """What is read of orders with many items."""

    def test_the_queries_of_a_list_do_not_depend_on_the_items(self, world: Any) -> None:
        order = two(world)
        with CaptureQueriesContext(connection) as few:
            supplier_intake.order(client_ref=ME, order_id=order.id)
        for _ in range(3):
            add_card(order)
        with CaptureQueriesContext(connection) as many:
            found = supplier_intake.order(client_ref=ME, order_id=order.id)
        assert len(many) == len(few)
        assert (found.item_count, queries.only_item(found)) == (5, None)  # type: ignore[attr-defined]

    def test_items_are_read_page_by_page_by_their_supplier(self, world: Any) -> None:
        order = two(world)
        (first,) = queries.items_after(client_ref=ME, order_id=order.id, number=0, limit=1)
        rest = queries.items_after(client_ref=ME, order_id=order.id, number=first.number, limit=5)
        assert [first.number, *(item.number for item in rest)] == [1, 2]
        with pytest.raises(NotFound):
            queries.items_after(client_ref=OTHER, order_id=order.id, number=0, limit=1)


class TestOfficer:
    """Behörig ID-administratör, whom an order names to its supplier."""

    def test_the_officer_who_ordered_is_named_unless_protected(self, world: Any) -> None:
        order = accepted(world)
        officer = Person.objects.get(pk=order.ordered_by_ref.removeprefix("user:"))
        found = queries.id_administrator(client_ref=ME, order=order)
        assert found == queries.IdAdministrator(f"{officer.given_name_in_use} {officer.surname}", officer.posts.get().hsa_id)
        Person.objects.filter(pk=officer.pk).update(is_protected=True, protected_person_indicator=True)
        assert queries.id_administrator(client_ref=ME, order=order) is None
        order.ordered_by_ref = "system:migration"
        assert queries.id_administrator(client_ref=ME, order=order) is None
