"""PUK letters at their supplier: the PUK is handed out once, to the registered key, and to no one who only writes rows (S24)."""

import datetime as dt
import uuid
from typing import Any

import psycopg2.extras
import pytest
from joserfc.errors import DecodeError

from issuance import service
from issuance.carriers.models import Carrier
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.orders.domain.items import Fault
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.revocation.services import revocation
from issuance.suppliers import queries
from issuance.suppliers.domain import EventOutcome, Failed, Produced, Returned, Sent
from issuance.suppliers.services import remakes, supplier_events, supplier_intake
from pki.models import Event as PkiEvent
from pki.models import Secret, SecretDelivery
from pki.secrets import delivering
from siths_portal.lib import clock
from siths_portal.lib.database import feeds
from siths_portal.lib.errors import Conflict, Gone, Invalid, NotFound, TooManyRequests
from tests.database_roles import acting_as, connected_as
from tests.issuance.activated import PUK, Made, activated_card, sent_card
from tests.issuance.suppliers.intake import delivery_read
from tests.issuance.suppliers.items import states
from tests.issuance.suppliers.lettering import handed_out, ordered_letter, printing_supplier, read
from tests.issuance.world import SUPPLIER as ME
from tests.pki.letter_printer import Printer

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = "other"


@pytest.fixture
def card(world: Any, demo_pki: Any) -> Made:
    return activated_card(world)


@pytest.fixture
def printer(demo_pki: Any, card: Made) -> Printer:
    return printing_supplier(demo_pki)


@pytest.fixture
def made(card: Made, printer: Printer) -> Made:
    """An active card, whose supplier prints letters."""
    return card


@pytest.fixture
def letter(world: Any, made: Made) -> CardOrder:
    """An accepted letter."""
    return supplier_intake.accept(client_ref=ME, order_id=ordered_letter(world, made.carrier).pk)


def report(order: CardOrder, event: Any) -> EventOutcome:
    return supplier_events.register_event(client_ref=ME, order_id=order.pk, event=event)


def letters() -> list[tuple[str, int, str]]:
    """What is charged for letters."""
    facts = service.billable_facts(feeds.START, limit=50)
    return [(fact.kind, fact.quantity, fact.reason) for fact in facts if fact.kind != "card"]


class TestTheWay:
    """From the queue to the post."""

    def test_the_puk_is_handed_out_once_and_a_sent_letter_is_charged_once(
        self, made: Made, letter: CardOrder, printer: Printer
    ) -> None:
        assert delivery_read(letter.pk).address is not None
        header, content = printer.open(handed_out(letter))
        assert (content, header["order"], header["serial"]) == (PUK, str(letter.pk), made.keys.serial)
        assert states(letter) == ("in_production", ["in_production"])
        assert SecretDelivery.objects.get(kind="letter").jwe is None
        with pytest.raises(Gone, match="puk-gone"):
            read(letter)
        assert report(letter, Produced()) is EventOutcome.APPLIED
        assert report(letter, Sent(clock.today())) is EventOutcome.APPLIED
        assert report(letter, Sent(clock.today())) is EventOutcome.REPEATED
        assert states(letter) == ("sent", ["sent"])
        assert letters() == [("puk_letter", 1, "")]
        assert made.fresh().state == "active"
        assert verify_states().wrong == ()

    def test_who_read_it_for_whom_stays_known(self, letter: CardOrder, made: Made) -> None:
        handed_out(letter)
        told = Event.objects.filter(subject_ref=str(letter.pk), action__startswith="order.puk_").order_by("id")
        delivery = str(SecretDelivery.objects.get(kind="letter").pk)
        facts = {"item": 1, "delivery": delivery, "puk_of": str(made.carrier.pk)}
        assert [(event.action, event.actor_ref, event.facts) for event in told] == [
            ("order.puk_requested", f"client:{ME}", facts),
            ("order.puk_delivered", f"client:{ME}", facts),
        ]
        story = PkiEvent.objects.filter(facts__order=str(letter.pk)).order_by("id").values_list("action", flat=True)
        assert list(story) == ["delivery.requested", "secret.opening", "delivery.ready"]

    def test_each_step_is_done_by_its_own_process(self, world: Any, made: Made, printer: Printer) -> None:
        with acting_as("portal"):
            order = ordered_letter(world, made.carrier)
        with acting_as("api"):
            supplier_intake.accept(client_ref=ME, order_id=order.pk)
            assert read(order) is None
        with acting_as("pki"):
            assert delivering.deliver_secrets() == 1
        with acting_as("api"):
            text = read(order)
            report(order, Produced())
            report(order, Sent(clock.today()))
        assert printer.open(text or "")[1] == PUK
        assert states(order) == ("sent", ["sent"])

    def test_reports_that_come_before_the_puk_was_read_wait(self, letter: CardOrder) -> None:
        assert report(letter, Sent(clock.today())) is EventOutcome.PARKED
        assert report(letter, Produced()) is EventOutcome.PARKED
        assert letters() == []
        handed_out(letter)
        assert states(letter) == ("sent", ["sent"])
        assert letters() == [("puk_letter", 1, "")]

    def test_a_letter_that_fails_is_erased_and_not_charged(self, letter: CardOrder, made: Made) -> None:
        read(letter)
        delivering.deliver_secrets()
        assert SecretDelivery.objects.get(kind="letter").jwe
        assert report(letter, Failed("no-paper")) is EventOutcome.APPLIED
        row = SecretDelivery.objects.get(kind="letter")
        assert (row.state, row.jwe) == ("destroyed", None)
        assert states(letter) == ("failed", ["failed"])
        assert letters() == []
        assert made.fresh().state == "active"
        with pytest.raises(Gone, match="puk-gone"):
            read(letter)

    def test_a_letter_that_comes_back_leaves_the_card_in_use(self, letter: CardOrder, made: Made) -> None:
        handed_out(letter)
        report(letter, Produced())
        report(letter, Sent(clock.today()))
        assert report(letter, Returned()) is EventOutcome.APPLIED
        assert states(letter) == ("returned", ["returned"])
        assert (made.fresh().state, Secret.objects.get(id=made.carrier.puk_secret_id).state) == ("active", "sealed")

    def test_a_letter_that_was_lost_is_made_again_with_its_puk(self, letter: CardOrder, printer: Printer) -> None:
        """The supplier lost the answer, or spoilt the print."""
        handed_out(letter)
        number = remakes.request_remake(client_ref=ME, order_id=letter.pk, item=1, reason="answer-lost", fault=Fault.SUPPLIER)
        assert (number, remakes.add_items()) == (2, 1)
        header, content = printer.open(handed_out(letter))
        assert (content, header["item"]) == (PUK, "2")
        report(letter, Produced())
        report(letter, Sent(clock.today()))
        assert states(letter) == ("sent", ["remade", "sent"])
        assert letters() == [("puk_letter", 1, ""), ("reproduction", 1, "answer-lost")]

    def test_a_letter_has_neither_a_chip_nor_a_puk_of_its_own(self, letter: CardOrder) -> None:
        for event in (Produced("0123456789"), Produced(puk_jwe="x"), Produced(no_puk=True)):
            with pytest.raises(Invalid, match="event"):
                report(letter, event)


class TestProtectedPerson:
    def test_the_letter_goes_through_the_tax_agency_without_address(self, world: Any, letter: CardOrder, made: Made) -> None:
        """The protection came after the order."""
        key = world.key_of(made.carrier.person)
        world.outside.change_person(key, protected_person_indicator=True, registered_address=None)
        delivery = delivery_read(letter.pk)
        assert (delivery.forwarding, delivery.address) == (True, None)
        assert Person.objects.get(pk=made.carrier.person_id).is_protected


class TestRefusals:
    def test_of_a_supplier_that_it_does_not_belong_to_and_of_other_orders(self, world: Any, letter: CardOrder) -> None:
        with pytest.raises(NotFound):
            read(letter, OTHER)
        card = supplier_intake.accept(client_ref=ME, order_id=world.order().pk)
        with pytest.raises(NotFound, match="puk-none"):
            read(card)
        assert not SecretDelivery.objects.filter(kind="letter").exists()

    def test_before_it_is_accepted_and_once_the_card_is_revoked(self, world: Any, made: Made) -> None:
        order = ordered_letter(world, made.carrier)
        with pytest.raises(Conflict, match="order-not-accepted"):
            read(order)
        supplier_intake.accept(client_ref=ME, order_id=order.pk)
        read(order)
        delivering.deliver_secrets()
        revocation.revoke_carrier(actor=world.officer(), carrier_id=made.carrier.pk, reason="lost_or_stolen")
        with pytest.raises(Conflict, match="carrier-revoked"):
            read(order)
        assert SecretDelivery.objects.get(kind="letter").jwe is None
        (change,) = [row for row in queries.changes_after(client_ref=ME, number=0, limit=9) if row.order_id == order.pk]
        assert (change.kind, change.item, change.reason) == ("revoked", 1, "card-revoked")
        assert not supplier_intake.is_being_made(supplier_intake.order(client_ref=ME, order_id=order.pk))
        assert report(order, Failed("card-revoked")) is EventOutcome.APPLIED

    def test_a_recipient_that_is_not_valid_is_said_and_asked_for_again(
        self, letter: CardOrder, printer: Printer, demo_pki: Any
    ) -> None:
        lost = Printer(ME)
        lost.certify(demo_pki, "function")
        _register(lost.sha256)
        assert read(letter) is None
        delivering.deliver_secrets()
        for _ in range(2):
            with pytest.raises(Conflict, match="puk-not-deliverable"):
                read(letter)
        _register(printer.sha256)
        with clock.moved_to(clock.now() + dt.timedelta(minutes=2)):
            assert printer.open(handed_out(letter))[1] == PUK

    def test_the_deliveries_of_a_day_are_limited(self, letter: CardOrder, settings: Any) -> None:
        settings.SECRET_DELIVERIES_PER_DAY = 1  # the activation
        with pytest.raises(TooManyRequests):
            read(letter)
        assert not Event.objects.filter(action="order.puk_requested").exists()


def _register(sha256: str) -> None:
    from authn.models import ServiceClient

    ServiceClient.objects.filter(client_ref=ME).update(letter_certificate=sha256)


class TestAttacks:
    """Rows that one process may write open no PUK (S24)."""

    INSERT = (
        "INSERT INTO pki_secretdelivery (id, secret_id, owner_ref, actor_ref, purpose, state, kind, handle_sha256, proof_message,"
        " proof_signature, recipient_jwk, header, token_sha256, failure, attempts, created_at) VALUES"
        " (%s, %s, %s, %s, 'puk-letter', 'requested', 'letter', %s, '', '', %s, %s, '', '', 0, now())"
    )

    def inserted(self, role: str, card: Carrier, order: Any, item: str = "1", requester: str = f"client:{ME}") -> SecretDelivery:
        """A delivery that a process of the role enters by SQL, with a key of its own, after the worker has seen it."""
        from pki.secrets.deliveries import letter_handle

        secret, pk = Secret.objects.get(id=card.puk_secret_id), uuid.uuid4()
        thief = {"kty": "EC", "crv": "P-256", "x": "A" * 43, "y": "A" * 43}
        with connected_as(role) as cursor:
            psycopg2.extras.register_uuid()
            header = psycopg2.extras.Json({"order": str(order), "item": item})
            values = (pk, secret.pk, secret.owner_ref, requester, letter_handle(str(order), item), psycopg2.extras.Json(thief))
            cursor.execute(self.INSERT, (*values, header))
        delivering.deliver_secrets([pk])
        return SecretDelivery.objects.get(id=pk)

    @pytest.mark.parametrize("role", ["api", "portal"])
    def test_a_row_of_ones_own_is_not_served(self, made: Made, letter: CardOrder, role: str) -> None:
        for order in (letter.pk, uuid.uuid4(), "x", made.order.pk):
            row = self.inserted(role, made.carrier, order)
            assert (row.state, row.failure, row.jwe) == ("refused", "no-order", None)
        assert not PkiEvent.objects.filter(action="delivery.ready").exclude(facts__kind="activate").exists()

    def test_the_api_cannot_turn_a_letter_to_another_card_or_supplier(
        self, world: Any, made: Made, letter: CardOrder, demo_pki: Any
    ) -> None:
        """It may name the row in the item, and no more."""
        other = printing_supplier(demo_pki, OTHER)
        for statement in (
            "UPDATE issuance_cardorder SET supplier_ref = 'other'",
            "UPDATE issuance_orderitem SET puk_of_id = NULL",
            "INSERT INTO issuance_orderitem SELECT * FROM issuance_orderitem",
            "UPDATE authn_serviceclient SET letter_certificate = ''",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), connected_as("api") as cursor:
                cursor.execute(statement)
        stolen = sent_card(world, world.post()).carrier
        row = self._claimed(stolen, letter, f"client:{ME}")
        assert (row.state, row.failure) == ("refused", "another-card")
        row = self._claimed(made.carrier, letter, f"client:{OTHER}")
        assert (row.state, row.failure) == ("refused", "another-supplier")
        row = self._claimed(made.carrier, letter, f"client:{ME}")
        assert row.state == "ready"  # it is the letter's own recipient who can open it
        with pytest.raises(DecodeError):
            other.open(row.jwe or "")

    def _claimed(self, card: Carrier, letter: CardOrder, requester: str) -> SecretDelivery:
        """A row by SQL that the letter's item names."""
        row = self.inserted("api", card, letter.pk, requester=requester)
        with connected_as("api") as cursor:
            cursor.execute(
                "UPDATE issuance_orderitem SET puk_delivery_id = %s WHERE order_id = %s", (str(row.pk), str(letter.pk))
            )
        SecretDelivery.objects.filter(pk=row.pk).update(state="requested", failure="", claimed_at=None)
        delivering.deliver_secrets([row.pk])
        row.refresh_from_db()
        return row

    def test_a_letter_that_is_not_to_be_printed_now_is_not_opened(self, made: Made, letter: CardOrder) -> None:
        read(letter)
        OrderItem.objects.filter(order=letter).update(state="failed")
        delivering.deliver_secrets()
        row = SecretDelivery.objects.get(kind="letter")
        assert (row.state, row.failure, row.jwe) == ("refused", "order-state", None)
