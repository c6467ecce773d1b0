"""Pieces that are made again: by the supplier before they are sent, by the officer after they came back; who pays for them."""

import datetime as dt
from typing import Any

import pytest

from issuance import service
from issuance.authz import Role
from issuance.carriers.models import Carrier, Eid
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.orders.domain.items import Fault
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import remaking
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.suppliers import queries
from issuance.suppliers.domain import EventOutcome, Failed, Produced, Returned, Sent
from issuance.suppliers.models import SupplierEvent
from issuance.suppliers.services import remakes, supplier_intake
from pki.models import Certificate, Revocation
from siths_portal.lib import clock
from siths_portal.lib.database import feeds
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from tests.database_roles import acting_as
from tests.issuance.authorities import Card, card, issue, open_puks, puk_jwe
from tests.issuance.suppliers.intake import delivery_read
from tests.issuance.suppliers.items import add_card, states
from tests.issuance.suppliers.test_items import certify, produced, report, sent
from tests.issuance.suppliers.test_supplier_intake import ME, OTHER, accepted, request

pytestmark = pytest.mark.usefixtures("authorities")


def remade(order: CardOrder, item: int = 1, *, fault: Fault = Fault.SUPPLIER, reason: str = "misprint", ref: str = ME) -> int:
    return remakes.request_remake(client_ref=ref, order_id=order.id, item=item, reason=reason, fault=fault)


def facts() -> list[tuple[str, int, int | None, str]]:
    return [(fact.kind, fact.quantity, fact.item, fact.reason) for fact in service.billable_facts(feeds.START, limit=20)]


def pieces() -> dict[str, int]:
    now = clock.now()
    return service.sent_pieces(now - dt.timedelta(days=1), now + dt.timedelta(days=1))


class TestBeforeSent:
    """By the supplier."""

    @pytest.mark.parametrize("produced_first", [True, False])
    def test_a_spoilt_card_is_revoked_and_another_takes_its_place(self, world: Any, produced_first: bool) -> None:
        order = accepted(world)
        certify(order, 1)
        if produced_first:
            report(order, 1, produced(order, 1))
        assert remade(order) == 2
        assert states(order) == ("accepted", ["remade"])
        old = OrderItem.objects.get(order=order).made
        assert (old.state, old.revocation_reason) == ("revoked", "production_failed")
        assert Revocation.objects.count() == Certificate.objects.count() == 4
        assert remakes.add_items() == 1
        assert remakes.add_items() == 0
        assert states(order) == ("accepted", ["remade", "waiting"])
        new = OrderItem.objects.get(order=order, number=2)
        assert new.made.state == "ordered"
        for name in ("kind", "person_id", "organisation_id", "article_id", "assurance_level"):
            assert getattr(new.made, name) == getattr(old, name)
        before, after = Eid.objects.order_by("created_at")
        for name in ("post_id", "organisation_id", "hsa_id", "mail", "upn", "title", "assurance_level"):
            assert getattr(after, name) == getattr(before, name)
        shown = supplier_intake.order(client_ref=ME, order_id=order.id)
        assert (queries.only_item(shown), supplier_intake.is_being_made(shown)) == (new, True)
        assert delivery_read(order.id).address
        changes = queries.changes_after(client_ref=ME, number=0, limit=9)
        assert not [change for change in changes if change.order_id], "the supplier spoilt it itself"

    def test_the_new_card_goes_the_usual_way_and_the_spoilt_one_is_free(self, world: Any) -> None:
        order = accepted(world)
        certify(order, 1)
        remade(order)
        remakes.add_items()
        sent(order, 2)
        assert states(order) == ("sent", ["remade", "sent"])
        assert facts() == [("card", 1, None, ""), ("reproduction", 1, 1, "misprint")]
        assert pieces() == {"card": 1, "reproduction": 1}
        assert verify_states().wrong == ()

    def test_a_fault_of_others_is_charged(self, world: Any) -> None:
        order = accepted(world)
        certify(order, 1)
        remade(order, fault=Fault.OTHER, reason="wrong-photo")
        remakes.add_items()
        sent(order, 2)
        assert facts() == [("card", 1, None, ""), ("card", 1, 1, "")]
        assert pieces() == {"card": 2}

    def test_one_of_several_is_made_again(self, world: Any) -> None:
        order = world.order()
        add_card(order)
        supplier_intake.accept(client_ref=ME, order_id=order.id)
        certify(order, 1)
        certify(order, 2)
        assert states(order)[0] == "in_production"
        assert (remade(order, 2), remade(order, 1)) == (3, 4)
        assert remakes.add_items() == 2
        assert states(order) == ("accepted", ["remade", "remade", "waiting", "waiting"])
        assert dict(OrderItem.objects.filter(order=order).values_list("number", "replaces__number")) == {
            1: None, 2: None, 3: 2, 4: 1,
        }  # fmt: skip

    def test_an_order_does_not_fail_while_the_new_item_is_being_added(self, world: Any) -> None:
        order = world.order()
        add_card(order)
        supplier_intake.accept(client_ref=ME, order_id=order.id)
        certify(order, 1)
        remade(order, 1)
        report(order, 2, Failed("no-material"))
        assert states(order) == ("accepted", ["remade", "failed"])
        remakes.add_items()
        sent(order, 3)
        assert states(order) == ("sent", ["remade", "failed", "sent"])

    def test_the_same_request_again_is_one_and_another_is_refused(self, world: Any) -> None:
        order = accepted(world)
        certify(order, 1)
        assert {remade(order), remade(order)} == {2}
        remakes.add_items()
        assert remade(order) == 2
        for other in ({"reason": "scratched"}, {"fault": Fault.OTHER}):
            with pytest.raises(Conflict, match="event-mismatch"):
                remade(order, **other)  # type: ignore[arg-type]
        assert OrderItem.objects.filter(order=order).count() == 2
        assert Event.objects.filter(action="order.remade").count() == 1

    def test_what_is_not_begun_sent_failed_or_revoked_is_not_made_again(self, world: Any) -> None:
        waiting, failed, gone, revoked = (accepted(world) for _ in range(4))
        report(failed, 1, Failed("misprint"))
        sent(gone, 1)
        made = card(2)
        request(revoked, made)
        revocation.revoke_carrier(actor=world.officer(), carrier_id=revoked.carrier_id, reason=RevocationReason.REPLACED)
        for order, code in (
            (waiting, "item-not-begun"), (failed, "item-ended"), (gone, "item-sent"), (revoked, "carrier-revoked"),
            (world.order(), "order-not-accepted"),
        ):  # fmt: skip
            with pytest.raises(Conflict) as refused:
                remade(order)
            assert refused.value.code == code
        report(gone, 1, Returned())
        with pytest.raises(Conflict, match="item-sent"):
            remade(gone)
        with pytest.raises(NotFound):
            remade(waiting, 2)
        with pytest.raises(NotFound):
            remade(waiting, ref=OTHER)
        with pytest.raises(Invalid, match="remake"):
            remade(waiting, reason="Spilled coffee")
        assert not SupplierEvent.objects.filter(kind="remade").exists()

    def test_reports_that_waited_are_noted_and_lose_their_puk(self, world: Any) -> None:
        order = accepted(world)
        request(order)
        assert report(order, 1, produced(order, 1)) is EventOutcome.PARKED
        remade(order)
        row = SupplierEvent.objects.get(kind="produced")
        assert (row.status, "puk_jwe" in row.payload) == ("noted", False)
        assert report(order, 1, Sent(clock.today())) is EventOutcome.NOTED
        with pytest.raises(Conflict, match="item-pending"):
            report(order, None, Failed("misprint"))

    def test_the_suppliers_process_asks_and_the_worker_orders(self, world: Any) -> None:
        order = accepted(world)
        certify(order, 1)
        with acting_as("api"):
            assert remade(order) == 2
        with acting_as("worker"):
            assert remakes.add_items() == 1


class TestAfterReturn:
    """By the officer."""

    def returned(self, world: Any) -> CardOrder:
        order = accepted(world)
        sent(order, 1)
        report(order, 1, Returned("address-unknown"))
        return order

    def again(self, world: Any, order: CardOrder, *, fault: Fault = Fault.OTHER, actor: Any = None) -> OrderItem:
        return remaking.remake_returned(actor=actor or world.officer(), order_id=order.id, number=1, fault=fault)

    @pytest.mark.parametrize(
        ("fault", "second"), [(Fault.SUPPLIER, ("reproduction", 1, 2, "returned")), (Fault.OTHER, ("card", 1, 2, ""))]
    )
    def test_the_order_is_queued_again_and_each_dispatch_is_charged(self, world: Any, fault: Fault, second: Any) -> None:
        order = self.returned(world)
        assert facts() == [("card", 1, None, "")]
        item = self.again(world, order, fault=fault)
        assert item.order.restarted_at is not None
        assert self.again(world, order, fault=fault) == item
        assert (item.number, states(order)) == (2, ("queued", ["returned", "waiting"]))
        assert supplier_intake.queued_orders(client_ref=ME) == [order]
        supplier_intake.accept(client_ref=ME, order_id=order.id)
        order.refresh_from_db()
        second_sent(order, card(7))
        assert states(order) == ("sent", ["returned", "sent"])
        assert facts() == [("card", 1, None, ""), second]
        assert pieces() == {"card": 2} if fault is Fault.OTHER else {"card": 1, "reproduction": 1}
        assert sorted(Carrier.objects.values_list("state", flat=True)) == ["revoked", "sent"]
        assert verify_states().wrong == ()

    def test_the_new_eid_has_the_values_of_now_and_the_address_is_read_again(self, world: Any) -> None:
        order = self.returned(world)
        world.outside.change_post(order.eid.post.hsa_id, title="Överläkare")
        item = self.again(world, order)
        assert item.ordered_eid.title == "Överläkare"
        supplier_intake.accept(client_ref=ME, order_id=order.id)
        assert delivery_read(order.id).address

    def test_what_stands_in_the_way(self, world: Any) -> None:
        order = self.returned(world)
        with pytest.raises(NotFound):
            self.again(world, order, actor=world.officer(world.stranger))
        with pytest.raises(Forbidden):
            self.again(world, order, actor=world.officer(role=Role.READER))
        world.outside.change_person(world.key_of(order.carrier.person), registered_address=None)
        with pytest.raises(Invalid, match="no-registered-address"):
            self.again(world, order)
        unsent = accepted(world)
        with pytest.raises(Conflict, match="item-not-returned"):
            self.again(world, unsent)
        assert states(order) == ("returned", ["returned"])


def second_sent(order: CardOrder, made: Card) -> None:
    """Takes the item that replaces a returned one to sent."""
    request(order, made)
    issue()
    for event in (Produced("7", puk_jwe(order.id, made.serial)), Sent(clock.today())):
        report(order, None, event)
        open_puks()
