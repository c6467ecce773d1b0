"""Stock of reserve cards: received, missing, found, damaged, lost, counted; who may do it, and the certificates afterwards."""

import datetime as dt
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from prometheus_client import REGISTRY

from issuance.activation.services import visits
from issuance.authz import Role
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.housekeeping.services import deadlines
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.offices.services import connect_office, create_office
from issuance.orders.models.orders import CardOrder
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.models import HeldRevocation
from issuance.revocation.services import revocation
from issuance.stock.models import StockCard, StockCount
from issuance.stock.queries import stock
from issuance.stock.services import cards, counting, losing, receiving
from issuance.suppliers.domain import EventOutcome, Returned
from issuance.suppliers.services import supplier_events
from issuance.tasks import measure_stock
from pki import service as pki
from pki.issuing import signing
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, IllegalTransition, Invalid, NotFound
from tests.issuance.authorities import serial_of
from tests.issuance.orders.bundles import bundle, prepare
from tests.issuance.organisations.test_pages import client_of
from tests.issuance.stock.stocks import received_bundle, sent_bundle, states, with_stock
from tests.issuance.world import SETUP, SUPPLIER


@pytest.fixture
def ready(world: Any, authorities: Any) -> Any:
    with_stock(world)
    return world


def change(world: Any, card: StockCard, action: str) -> Any:
    return cards.change_card(actor=world.officer(), card_id=card.pk, action=action)


def count(world: Any, *numbers: int) -> StockCount:
    serials = "\n".join(serial_of(number) for number in numbers)
    return counting.count_stock(actor=world.officer(), office_id=world.office.pk, serials=serials)


def figures(world: Any) -> stock.StockFigures:
    return stock.figures([world.office.pk])[world.office.pk]


class TestReceiving:
    """`receive_bundle`, `receive_scanned`, `report_missing`."""

    def test_a_whole_bundle_is_received_once(self, ready: Any) -> None:
        order = sent_bundle(ready)
        assert figures(ready).awaited == 3
        assert [receiving.receive_bundle(actor=ready.officer(), order_id=order.pk) for _ in range(2)] == [3, 0]
        assert states(order) == [("in_stock", "in_stock")] * 3
        assert (figures(ready).in_stock, figures(ready).awaited) == (3, 0)
        assert Event.objects.get(action="office.stock_received").facts["stock_quantity"] == 3
        assert Event.objects.filter(action="carrier.received").count() == 3
        assert verify_states().wrong == ()

    def test_the_number_of_statements_does_not_grow_with_the_cards(self, ready: Any) -> None:
        officer, counts = ready.officer(), []
        for quantity, first in ((2, 1), (40, 10)):
            order = sent_bundle(ready, quantity, first=first)
            with CaptureQueriesContext(connection) as run:
                receiving.receive_bundle(actor=officer, order_id=order.pk)
            counts.append(len(run))
        assert counts[0] == counts[1]

    def test_scanned_cards_are_received_and_the_rest_is_missing_until_it_comes(self, ready: Any) -> None:
        order, officer = sent_bundle(ready), ready.officer()
        scanned = f" {serial_of(1)[:4]} {serial_of(1)[4:]}\n\n{serial_of(2)}\n{serial_of(2)}\n"
        assert receiving.receive_scanned(actor=officer, order_id=order.pk, serials=scanned) == 2
        assert figures(ready).awaited == 1
        assert [receiving.report_missing(actor=officer, order_id=order.pk) for _ in range(2)] == [1, 0]
        assert states(order) == [("in_stock", "in_stock"), ("in_stock", "in_stock"), ("sent", "missing")]
        assert (figures(ready).in_stock, figures(ready).missing, figures(ready).awaited) == (2, 1, 0)
        assert receiving.receive_scanned(actor=officer, order_id=order.pk, serials=serial_of(3)) == 1
        assert states(order)[2] == ("in_stock", "in_stock")
        assert verify_states().wrong == ()

    @pytest.mark.parametrize(
        ("serials", "code", "said"),
        [
            ("", "serials-missing", "Skanna korten"),
            ("123\n", "serial-malformed", "rad 1"),
            (f"{serial_of(1)}\n{serial_of(9)}", "serial-not-awaited", "rad 2"),
            (f"{serial_of(1)}\n{serial_of(5)}", "serial-not-awaited", "rad 2"),
        ],
    )
    def test_a_wrong_number_receives_nothing_and_is_told_by_its_line(
        self, ready: Any, serials: str, code: str, said: str
    ) -> None:
        order = sent_bundle(ready)
        sent_bundle(ready, 1, first=5)
        with pytest.raises(Invalid, match=code) as refused:
            receiving.receive_scanned(actor=ready.officer(), order_id=order.pk, serials=serials)
        assert said in refused.value.message
        assert serial_of(1) not in refused.value.message
        assert not StockCard.objects.exists()

    def test_a_bundle_that_is_not_sent_is_not_received(self, ready: Any) -> None:
        order = bundle(ready.region, ready.office, 2)
        with pytest.raises(Conflict, match="bundle-not-sent"):
            receiving.receive_bundle(actor=ready.officer(), order_id=order.pk)

    def test_s32_a_card_that_its_office_has_is_not_reported_back(self, ready: Any) -> None:
        order = sent_bundle(ready, 1)
        receiving.receive_bundle(actor=ready.officer(), order_id=order.pk)
        outcome = supplier_events.register_event(client_ref=SUPPLIER, order_id=order.pk, event=Returned("unknown-address"))
        assert outcome is EventOutcome.NOTED
        order.refresh_from_db()
        assert (order.state, order.items.get().state, states(order)) == ("sent", "sent", [("in_stock", "in_stock")])

    def test_a_sent_bundle_waits_for_longer_than_a_card_for_its_holder(self, ready: Any) -> None:
        order = sent_bundle(ready, 1)
        CardOrder.objects.filter(pk=order.pk).update(ordered_at=clock.now() - 2 * dt.timedelta(days=90))
        Carrier.objects.update(sent_at=clock.now() - 2 * dt.timedelta(days=90))
        assert deadlines.run().not_activated == 0
        assert states(order) == [("sent", None)]


class TestCards:
    """`change_card`."""

    def test_a_missing_card_cannot_be_handed_out_until_it_is_found(self, ready: Any) -> None:
        card, *_others = received_bundle(ready)
        change(ready, card, "missing")
        assert (figures(ready).in_stock, figures(ready).missing) == (2, 1)
        with pytest.raises(IllegalTransition):
            change(ready, card, "missing")
        change(ready, card, "found")
        assert figures(ready).in_stock == 3
        assert verify_states().wrong == ()

    @pytest.mark.parametrize(("action", "reason"), [("lost", "lost_or_stolen"), ("damaged", "damaged")])
    def test_a_card_that_is_written_off_is_revoked_at_once(self, ready: Any, action: str, reason: str) -> None:
        card, *_others = received_bundle(ready)
        assert change(ready, card, action) is None
        card.refresh_from_db()
        carrier = Carrier.objects.get(pk=card.carrier_id)
        assert (card.state, carrier.state, carrier.revocation_reason) == (action, "revoked", reason)
        assert figures(ready).in_stock == 2
        with pytest.raises(IllegalTransition):
            change(ready, card, action)
        assert verify_states().wrong == ()

    def test_a_card_that_never_came_is_lost_and_revoked(self, ready: Any) -> None:
        order = sent_bundle(ready, 1)
        receiving.report_missing(actor=ready.officer(), order_id=order.pk)
        change(ready, StockCard.objects.get(), "lost")
        assert states(order) == [("revoked", "lost")]

    def test_the_certificate_of_a_lost_card_is_revoked_in_the_pki(self, world: Any, demo_pki: Any) -> None:
        prepare(world.region, world.office)
        card, other = received_bundle(world, 2, sign=signing.sign_reserved)
        change(world, card, "lost")
        found = {row.carrier_id: pki.certificates([row.certificate_id])[0].status for row in CarrierCertificate.objects.all()}
        assert found == {card.carrier_id: "revoked", other.carrier_id: "issued"}

    def test_above_the_limit_the_card_leaves_the_stock_and_the_revocation_waits(self, ready: Any, settings: Any) -> None:
        first, second, _third = received_bundle(ready)
        settings.REVOCATIONS_PER_HOUR = 1
        change(ready, first, "lost")
        assert isinstance(change(ready, second, "lost"), HeldRevocation)
        second.refresh_from_db()
        assert (second.state, Carrier.objects.get(pk=second.carrier_id).state) == ("lost", "in_stock")
        assert figures(ready).in_stock == 1
        line = stock.card_line(actor=ready.officer(), card_id=second.pk)[0]
        assert (line.waits, line.actions) == (True, ())

    def test_a_card_that_is_revoked_elsewhere_leaves_the_stock(self, ready: Any) -> None:
        card, *_others = received_bundle(ready)
        revocation.revoke_carrier(actor=ready.officer(), carrier_id=card.carrier_id, reason=RevocationReason.SUSPECTED_MISUSE)
        card.refresh_from_db()
        assert card.state == "ended"
        assert figures(ready).in_stock == 2
        assert verify_states().wrong == ()

    @pytest.mark.parametrize("action", ["ended", "received", ""])
    def test_another_action_is_refused(self, ready: Any, action: str) -> None:
        card, *_others = received_bundle(ready, 1)
        with pytest.raises(Invalid, match="unknown-action"):
            change(ready, card, action)


class TestLosing:
    """`lose_bundle`: a lost parcel in one act."""

    def lose(self, world: Any, order: CardOrder, part: str, expected: int, **more: Any) -> losing.Lost:
        return losing.lose_bundle(actor=world.officer(), order_id=order.pk, part=part, expected=expected, **more)

    def test_what_never_came_is_written_off_and_revoked_at_once(self, ready: Any) -> None:
        order = sent_bundle(ready, 4)
        receiving.receive_scanned(actor=ready.officer(), order_id=order.pk, serials=serial_of(1))
        receiving.report_missing(actor=ready.officer(), order_id=order.pk)
        with pytest.raises(Invalid, match="lost-number"):
            self.lose(ready, order, "inte-mottagna", 4)
        assert self.lose(ready, order, "inte-mottagna", 3, justification="Paketet stals") == losing.Lost(3, waits=False)
        assert states(order) == [("in_stock", "in_stock"), *[("revoked", "lost")] * 3]
        revoked = Event.objects.filter(action="carrier.revoked")
        assert [event.facts["justification"] for event in revoked] == ["Paketet stals"] * 3
        assert Event.objects.filter(action="stock_card.lost").count() == 3
        assert Event.objects.get(action="office.stock_lost").facts["stock_quantity"] == 3
        with pytest.raises(Conflict, match="nothing-to-lose"):
            self.lose(ready, order, "inte-mottagna", 3)
        assert verify_states().wrong == ()

    def test_a_parcel_need_not_be_reported_missing_first(self, ready: Any) -> None:
        order = sent_bundle(ready, 2)
        self.lose(ready, order, "alla", 2)
        assert states(order) == [("revoked", "lost")] * 2
        assert figures(ready).awaited == 0
        assert verify_states().wrong == ()

    def test_chosen_cards_are_of_the_bundle_or_none_is_lost(self, ready: Any) -> None:
        order = sent_bundle(ready, 3)
        receiving.receive_bundle(actor=ready.officer(), order_id=order.pk)
        with pytest.raises(Invalid, match="serial-not-losable") as refused:
            self.lose(ready, order, "skannade", 2, serials=f"{serial_of(1)}\n{serial_of(9)}")
        assert "rad 2" in refused.value.message
        self.lose(ready, order, "skannade", 2, serials=f"{serial_of(1)}\n{serial_of(3)}")
        assert states(order) == [("revoked", "lost"), ("in_stock", "in_stock"), ("revoked", "lost")]

    def test_above_the_limit_all_of_it_is_one_request(self, ready: Any, settings: Any) -> None:
        settings.REVOCATIONS_PER_HOUR = 2
        second = ready.officer(role=Role.RESPONSIBLE_ISSUER)
        order = sent_bundle(ready, 3)
        assert self.lose(ready, order, "alla", 3).waits
        assert states(order) == [("sent", "lost")] * 3
        page = client_of(second).get(reverse("held_revocations"))
        (request,) = page.context["list"].lines
        assert (request.person, request.what, request.person_id) == ("Reservkort i lager", "3 kort", None)
        assert revocation.decide_held(actor=second, held_ids=[request.id], approve=True) == 1
        assert states(order) == [("revoked", "lost")] * 3
        assert verify_states().wrong == ()


class TestCounting:
    """`count_stock` and `set_level`."""

    def test_a_count_tells_the_difference_and_moves_the_cards(self, ready: Any) -> None:
        first, *_others = received_bundle(ready)
        change(ready, first, "missing")
        made = count(ready, 1, 2)
        assert (made.expected, made.found, made.missing, made.returned) == (2, 1, 1, 1)
        assert made.counted_by_ref == ready.officer().ref
        assert list(StockCard.objects.order_by("carrier__card_serial").values_list("state", flat=True)) == [
            "in_stock", "in_stock", "missing",
        ]  # fmt: skip
        counted = Event.objects.get(action="office.stock_counted").facts
        assert (counted["stock_expected"], counted["stock_found"], counted["stock_missing"]) == (2, 1, 1)
        made = count(ready)
        assert (made.expected, made.found) == (2, 0)
        assert verify_states().wrong == ()

    def test_a_card_of_another_place_refuses_the_whole_count(self, ready: Any) -> None:
        received_bundle(ready)
        with pytest.raises(Invalid, match="serial-not-in-stock") as refused:
            count(ready, 1, 8)
        assert "rad 2" in refused.value.message
        assert not StockCount.objects.exists()
        assert figures(ready).in_stock == 3

    def test_s11_cards_of_another_office_are_neither_counted_nor_missed(self, ready: Any) -> None:
        _here, there = received_bundle(ready, 2)
        other = create_office(actor=SETUP, area_id=ready.area.id, name="Kontor C", invoice_comment="C")
        StockCard.objects.filter(pk=there.pk).update(office=other)
        made = count(ready, 1)
        assert (made.expected, made.found, made.missing) == (1, 1, 0)
        with pytest.raises(Invalid, match="serial-not-in-stock"):
            count(ready, 1, 2)

    def test_s33_a_second_click_gets_the_first_count(self, ready: Any) -> None:
        received_bundle(ready)
        first = count(ready, 1, 2)
        assert (count(ready, 1, 2), StockCount.objects.count()) == (first, 1)
        assert Event.objects.filter(action="office.stock_counted").count() == 1
        assert count(ready, 1) != first, "one more is missing"
        with clock.moved_to(clock.now() + visits.SECOND_CLICK):
            assert (count(ready, 1).expected, StockCount.objects.count()) == (1, 3)

    def test_an_office_is_short_below_its_level(self, ready: Any) -> None:
        received_bundle(ready, 2)
        officer = ready.officer()
        for least, short in ((3, [ready.office.pk]), (2, []), (None, [])):
            for _ in range(2):  # a second click is no event
                counting.set_level(actor=officer, office_id=ready.office.pk, least=least)
            assert [line.id for line in stock.short_offices(actor=officer)] == short
        assert Event.objects.filter(action="office.stock_level_set").count() == 3
        for wrong in (-1, counting.HIGHEST_LEVEL + 1):
            with pytest.raises(Invalid, match="level"):
                counting.set_level(actor=officer, office_id=ready.office.pk, least=wrong)

    def test_operators_learn_of_offices_that_need_cards_and_have_ordered_none(self, ready: Any) -> None:
        def measured() -> tuple[float | None, ...]:
            measure_stock()
            return tuple(REGISTRY.get_sample_value(f"reserve_stock_{what}_offices") for what in ("short", "empty"))

        officer = ready.officer()
        assert measured() == (0, 0)
        counting.set_level(actor=officer, office_id=ready.office.pk, least=2)
        assert measured() == (1, 1)
        order = sent_bundle(ready, 2)
        assert measured() == (0, 1), "a bundle is on its way"
        receiving.receive_bundle(actor=officer, order_id=order.pk)
        assert measured() == (0, 0)
        change(ready, StockCard.objects.earliest("pk"), "missing")
        assert measured() == (1, 0)


class TestScope:
    """Stock is kept where the office is connected to an organisation in the actor's scope."""

    def test_by_every_role_that_hands_out_cards_and_no_other(self, ready: Any) -> None:
        received_bundle(ready, 1)
        keeps = {
            Role.RESPONSIBLE_ISSUER, Role.DEPUTY_ISSUER, Role.ID_ADMINISTRATOR, Role.RESERVE_CARD_ADMIN_LOA3,
            Role.RESERVE_CARD_ADMIN_LOA2,
        }  # fmt: skip
        for role in Role:
            actor = ready.officer(role=role)
            if role in keeps:
                assert stock.stock_head(actor=actor, office_id=ready.office.pk).figures.in_stock == 1, role
            else:
                with pytest.raises((Forbidden, NotFound)):
                    stock.stock_head(actor=actor, office_id=ready.office.pk)

    def test_an_office_of_others_is_not_found_until_it_is_connected(self, ready: Any) -> None:
        card, *_others = received_bundle(ready, 2)
        officer = ready.officer(ready.clinic)
        other = create_office(actor=SETUP, area_id=ready.area.id, name="Kontor C", invoice_comment="C")
        for act in (
            lambda: stock.stock_head(actor=officer, office_id=other.pk),
            lambda: counting.set_level(actor=officer, office_id=other.pk, least=1),
            lambda: cards.change_card(actor=ready.officer(ready.stranger), card_id=card.pk, action="lost"),
            lambda: receiving.receive_bundle(actor=ready.officer(ready.stranger), order_id=card.carrier.item.order_id),
        ):
            with pytest.raises(NotFound):
                act()
        connect_office(actor=SETUP, organisation_id=ready.clinic.id, office_id=other.pk)
        assert stock.stock_head(actor=officer, office_id=other.pk).name == "Kontor C"

    def test_who_keeps_a_shared_stock_writes_off_cards_that_another_organisation_ordered(self, ready: Any) -> None:
        card, *_others = received_bundle(ready, 1)
        connect_office(actor=SETUP, organisation_id=ready.city.id, office_id=ready.office.pk)
        cards.change_card(actor=ready.officer(ready.city), card_id=card.pk, action="lost")
        assert Carrier.objects.get(pk=card.carrier_id).state == "revoked"

    def test_the_oldest_cards_come_first(self, ready: Any) -> None:
        first, second = received_bundle(ready, 2)
        years = clock.now() + (second.valid_to - clock.now()) / 2
        StockCard.objects.filter(pk=second.pk).update(valid_to=years)
        found = stock.cards_of(office_id=ready.office.pk).queryset.order_by("valid_to", "pk")
        assert [card.pk for card in found] == [second.pk, first.pk]
        StockCard.objects.filter(pk=first.pk).update(valid_to=clock.now())
        assert figures(ready).in_stock == 1, "a card past its end is not handed out"
