"""What suppliers do to orders: each its own, each act repeatable, reports in any order (S29, S31-S33)."""

import datetime as dt
import functools
import itertools
import threading
import uuid
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import REGISTRY
from rest_framework.test import APIRequestFactory, force_authenticate

from issuance import service
from issuance.carriers.domain.kinds import CARD_PROFILES
from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.customisations.models import CardCustomisation
from issuance.customisations.services.customisations import verify_customisation
from issuance.orders.domain.order_states import OrderState
from issuance.orders.domain.rules import DeliveryMethod
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import ordering
from issuance.people.models.persons import Person, PersonIdentifier, Post
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.suppliers.api.v1.views import Order as OrderView
from issuance.suppliers.domain import EventOutcome, Failed, Produced, Returned, Sent
from issuance.suppliers.models import SupplierEvent
from issuance.suppliers.queries import own_orders
from issuance.suppliers.services import card_certificates, order_measures, supplier_events, supplier_intake
from pki.models import Certificate, Secret, SecretState
from siths_portal.lib import clock
from siths_portal.lib.database import feeds
from siths_portal.lib.errors import Conflict, DomainError, Invalid, NotFound, Unavailable
from tests.faults.tally import Tally
from tests.issuance.authorities import Card, card, issue, open_puks, puk_jwe
from tests.issuance.suppliers.intake import delivery_read
from tests.issuance.world import LOGOTYPE, SETUP

ME, OTHER = "bureau", "another"
pytestmark = pytest.mark.usefixtures("authorities")
DAY = dt.timedelta(days=1)


def accepted(world: Any, **arguments: Any) -> CardOrder:
    order = world.order(**arguments)
    return supplier_intake.accept(client_ref=ME, order_id=order.id)


def request(order: CardOrder, made: Card | None = None, **changes: Any) -> list[uuid.UUID]:
    made = made or card(1)
    arguments = {"card_serial": made.serial, "card_key_spki": made.key, "csrs": made.csrs, "client_ref": ME}
    return card_certificates.request_certificates(order_id=order.id, **(arguments | changes))


def certify(order: CardOrder, made: Card | None = None, **changes: Any) -> list[uuid.UUID]:
    """Requests the certificates and lets them be issued, with what the API does when they are."""
    ids = request(order, made, **changes)
    issue(ids)
    supplier_events.replay_reports(client_ref=ME, order_id=order.id)
    return ids


def report(order: CardOrder, event: Any, *, client_ref: str = ME) -> EventOutcome:
    return supplier_events.register_event(client_ref=client_ref, order_id=order.id, event=event)


def produced(order: CardOrder, serial: str | None = None) -> Produced:
    return Produced("0123456789", puk_jwe(order.id, serial or card(1).serial))


def steps(name: str, pk: Any) -> Any:
    """The events of a row that are steps of its life."""
    return Event.objects.filter(subject_type=name, subject_ref=str(pk)).exclude(subject_seq=None).order_by("subject_seq")


def seq_agrees(order: CardOrder) -> bool:
    """True if each row of the order has as many steps as events."""
    rows: list[tuple[str, Any, Any]] = [
        ("order", CardOrder, order.id), ("carrier", Carrier, order.carrier_id), ("eid", Eid, order.eid_id),
        ("item", OrderItem, order.card.pk),
    ]  # fmt: skip
    return all(model.objects.get(pk=pk).seq == steps(name, pk).count() for name, model, pk in rows)


class TestQueue:
    """Pulling and accepting."""

    def test_pages_of_the_queue(self, world: Any) -> None:
        orders = [world.order() for _ in range(5)]
        first = supplier_intake.queued_orders(client_ref=ME, limit=3)
        rest = supplier_intake.queued_orders(client_ref=ME, after=first[-1].id, limit=3)
        assert [order.id for order in first + rest] == [order.id for order in orders]

    def test_a_page_of_the_queue_takes_one_query_for_orders_and_one_for_their_items(self, world: Any) -> None:
        for _ in range(3):
            world.order()
        with CaptureQueriesContext(connection) as queries:
            for order in supplier_intake.queued_orders(client_ref=ME):
                assert order.carrier.person.surname + order.eid.hsa_id + order.article.name + order.customisation.issuer_number
        assert len(queries) == 2

    def test_accepting_twice_is_accepting_once(self, world: Any) -> None:
        order = accepted(world)
        again = supplier_intake.accept(client_ref=ME, order_id=order.id)
        assert (again.state, again.supplier_ref, again.seq) == ("accepted", ME, 2)
        assert Event.objects.filter(action="order.accepted").count() == 1
        assert supplier_intake.queued_orders(client_ref=ME) == []

    @pytest.mark.parametrize("withdrawn", [True, False])
    def test_what_is_withdrawn_or_not_accepted_says_so_in_every_call(self, world: Any, withdrawn: bool) -> None:
        order = world.order()
        if withdrawn:
            ordering.cancel_order(actor=world.officer(), order_id=order.id)
        code = "order-withdrawn" if withdrawn else "order-not-accepted"
        acts: list[Callable[[], object]] = [
            lambda: supplier_intake.photo(client_ref=ME, order_id=order.id),
            lambda: supplier_intake.certificate_ids(client_ref=ME, order_id=order.id),
            lambda: request(order),
            lambda: report(order, Failed("spoilt")),
        ]
        if withdrawn:
            acts.append(lambda: supplier_intake.accept(client_ref=ME, order_id=order.id))
        for act in acts:
            with pytest.raises(Conflict) as refused:
                act()
            assert refused.value.code == code
        assert supplier_intake.order(client_ref=ME, order_id=order.id).state == ("cancelled" if withdrawn else "queued")
        assert not SupplierEvent.objects.exists()

    def test_eight_accepts_at_once_are_one(self, world: Any, tally: Tally) -> None:
        order = world.order()
        start, answers = threading.Barrier(8), []

        def accept() -> None:
            start.wait()
            try:
                answers.append(supplier_intake.accept(client_ref=ME, order_id=order.id).state)
            finally:
                connection.close()

        threads = [threading.Thread(target=accept) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        order.refresh_from_db()
        assert answers == ["accepted"] * 8
        assert Event.objects.filter(action="order.accepted").count() == 1
        assert order.seq == 2
        events = Event.objects.filter(action="order.accepted").values_list("subject_ref", flat=True)
        tally.run([str(order.id)], events, "accepted orders")

    def test_a_queued_order_is_of_the_supplier_of_its_customisation_alone(self, world: Any) -> None:
        order = world.order()
        assert order.supplier_ref == ME
        assert supplier_intake.queued_orders(client_ref=OTHER) == []
        for act in (supplier_intake.order, supplier_intake.accept):
            with pytest.raises(NotFound):
                act(client_ref=OTHER, order_id=order.id)
        CardCustomisation.objects.update(supplier_ref=OTHER)  # the order stays where it is
        assert supplier_intake.queued_orders(client_ref=ME) == [order]
        assert supplier_intake.queued_orders(client_ref=OTHER) == []

    def test_an_order_of_another_does_not_exist(self, world: Any) -> None:
        order = accepted(world)
        certify(order)
        acts: list[Callable[[uuid.UUID], object]] = [
            lambda pk: supplier_intake.order(client_ref=OTHER, order_id=pk),
            lambda pk: supplier_intake.accept(client_ref=OTHER, order_id=pk),
            lambda pk: supplier_intake.certificate_ids(client_ref=OTHER, order_id=pk),
            lambda pk: supplier_events.register_event(client_ref=OTHER, order_id=pk, event=Failed("spoilt")),
            lambda pk: card_certificates.request_certificates(
                client_ref=OTHER, order_id=pk, card_serial=card(2).serial, card_key_spki=card(2).key, csrs=card(2).csrs
            ),
        ]
        before = Event.objects.count()
        for act in acts:
            answers = []
            for pk in (order.id, uuid.uuid4()):
                with pytest.raises(NotFound) as refused:
                    act(pk)
                answers.append((refused.value.code, refused.value.message))
            assert answers[0] == answers[1]
        assert Event.objects.count() == before


class TestDelivery:
    """Where the card goes: read live, kept nowhere."""

    def test_the_registered_address_of_now(self, world: Any) -> None:
        order = accepted(world)
        delivery = delivery_read(order.id)
        assert (delivery.method, delivery.recipient, delivery.forwarding) == (DeliveryMethod.LETTER, "Prov Provsson", False)
        assert delivery.address is not None
        assert delivery.address.city == "Provstad"
        assert Event.objects.get(action="order.address_read").actor_ref == f"client:{ME}"
        with connection.cursor() as cursor:
            for table in connection.introspection.table_names(cursor):
                cursor.execute(f'SELECT count(*) FROM "{table}" t WHERE t::text LIKE %s', ["%Provstad%"])
                assert cursor.fetchone() == (0,), table

    def test_registered_mail(self, world: Any) -> None:
        order = accepted(world, article="631-REK")
        assert delivery_read(order.id).method is DeliveryMethod.REGISTERED_MAIL

    @pytest.mark.parametrize("flag", ["protected_person_indicator", "protected_population_record"])
    def test_a_protection_that_came_after_the_order_counts(self, world: Any, flag: str, tally: Tally) -> None:
        order = accepted(world)
        world.outside.change_person(world.key_of(order.carrier.person), **{flag: True})
        delivery = delivery_read(order.id)
        assert (delivery.method, delivery.address) == (DeliveryMethod.TAX_AGENCY_FORWARDING, None)
        assert Person.objects.get(pk=order.carrier.person_id).is_protected
        assert not CardOrder.objects.visible_to(world.officer()).filter(pk=order.pk).exists()
        tally.run([DeliveryMethod.TAX_AGENCY_FORWARDING], [delivery.method], "deliveries")

    def test_not_before_acceptance_nor_after_dispatch_nor_for_a_revoked_or_withdrawn_card(self, world: Any) -> None:
        assert delivery_read(world.order().id) is None
        order = accepted(world)
        certify(order)
        report(order, produced(order))
        assert delivery_read(order.id).address
        assert Event.objects.filter(action="order.address_read").count() == 1
        open_puks()
        report(order, Sent(clock.today()))
        other = accepted(world)
        revocation.revoke_carrier(actor=world.officer(), carrier_id=other.carrier_id, reason=RevocationReason.REPLACED)
        withdrawn = world.order()
        ordering.cancel_order(actor=world.officer(), order_id=withdrawn.id)
        assert [delivery_read(closed.id) for closed in (order, other, withdrawn)] == [None, None, None]
        assert Event.objects.filter(action="order.address_read").count() == 1

    def test_a_card_that_is_revoked_while_the_api_reads_its_order_is_no_conflict(
        self, world: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        order = accepted(world)
        read = supplier_intake.order

        def then_revoked(**arguments: Any) -> CardOrder:
            seen = read(**arguments)
            revocation.revoke_carrier(actor=world.officer(), carrier_id=order.carrier_id, reason=RevocationReason.REPLACED)
            return seen

        monkeypatch.setattr(supplier_intake, "order", then_revoked)
        get = APIRequestFactory().get("/")
        force_authenticate(get, SimpleNamespace(client_ref=ME, kind="supplier", is_authenticated=True))  # type: ignore[arg-type]
        assert OrderView.as_view()(get, order_id=order.id).status_code == 200

    @pytest.mark.parametrize(
        ("change", "code"), [({"deceased": True}, "person-deceased"), ({"registered_address": None}, "no-registered-address")]
    )
    def test_nowhere_to_send_it(self, world: Any, change: dict[str, Any], code: str) -> None:
        order = accepted(world)
        world.outside.change_person(world.key_of(order.carrier.person), **change)
        with pytest.raises(Conflict, match=code):
            delivery_read(order.id)

    def test_the_register_being_down(self, world: Any) -> None:
        order = accepted(world)
        world.outside.down = True
        with pytest.raises(Unavailable):
            delivery_read(order.id)


class TestCertificates:
    """Binding a card to its carrier, once, with four certificates."""

    def test_the_card_is_bound_and_four_certificates_are_planned(self, world: Any) -> None:
        order = accepted(world, post=world.post(world.clinic))
        ids = certify(order)
        carrier = Carrier.objects.get()
        assert (carrier.state, carrier.card_serial, bytes(carrier.card_key_spki)) == ("ordered", card(1).serial, card(1).key)
        assert CardOrder.objects.get().state == "in_production"
        assert supplier_intake.certificate_ids(client_ref=ME, order_id=order.id) == dict(zip(CARD_PROFILES, ids, strict=True))
        pairs = {row.profile: row.eid_id for row in CarrierCertificate.objects.all()}
        assert pairs == {
            "person-hsaid-auth": order.eid_id, "person-hsaid-sign": order.eid_id, "person-id-auth": None, "person-id-sign": None,
        }  # fmt: skip
        planned = Certificate.objects.in_bulk(ids)
        assert {planned[pk].ca.slug for pk in ids[:2]} == {"person-hsaid-3"}
        assert {planned[pk].ca.slug for pk in ids[2:]} == {"person-id-3"}
        assert {row.carrier_ref for row in planned.values()} == {f"carrier:{carrier.id}"}
        assert {row.unit_ref for row in planned.values()} == {f"organisation:{world.clinic.id}"}
        eid = Eid.objects.get()
        assert {row.not_after for row in planned.values()} == {eid.valid_to}
        assert eid.valid_to.year == clock.now().year + 2
        hsa_id_subject, person_subject = (bytes(planned[pk].tbs_der) for pk in (ids[0], ids[2]))
        assert world.region.name.encode() in hsa_id_subject  # the top organisation, not the clinic
        assert eid.hsa_id.encode() in hsa_id_subject
        assert b"prov@upn.example.org" in hsa_id_subject
        assert world.key_of(carrier.person).value.encode() in person_subject
        assert world.region.name.encode() not in person_subject

    @pytest.mark.parametrize("days", [30, 0])
    def test_an_eid_never_outlives_its_post(self, world: Any, days: int) -> None:
        post = world.post()
        last_day = clock.today() + dt.timedelta(days=days)
        world.outside.change_post(post.hsa_id, valid_to=last_day)
        certify(accepted(world, post=post))
        assert Eid.objects.get().valid_to == clock.start_of_day(last_day + dt.timedelta(days=1))

    def test_an_eid_never_outlives_its_card(self, world: Any) -> None:
        order = accepted(world)
        end = clock.now().replace(microsecond=0) + dt.timedelta(days=90)
        Carrier.objects.update(valid_to=end)
        certify(order)
        assert Eid.objects.get().valid_to == end

    def test_a_post_that_ended_since_the_order(self, world: Any) -> None:
        order = accepted(world)
        Post.objects.filter(pk=order.eid.post_id).update(ended_at=clock.now())
        with pytest.raises(Conflict, match="post-ended"):
            certify(order)
        assert not Certificate.objects.exists()

    def test_a_reserve_number_since_the_order_is_no_personnummer(self, world: Any) -> None:
        order = accepted(world)
        PersonIdentifier.objects.filter(person=order.person_id).update(kind="reserve")
        with pytest.raises(Conflict, match="person-id-not-certifiable"):
            certify(order)
        assert not Certificate.objects.exists()

    def test_the_same_call_gives_the_same_ids(self, world: Any) -> None:
        order = accepted(world)
        ids = certify(order)
        assert certify(order) == ids
        report(order, produced(order))
        assert certify(order) == ids
        assert Certificate.objects.count() == 4
        assert Event.objects.filter(action="carrier.serial_bound").count() == 1

    @pytest.mark.parametrize("what", ["card_serial", "card_key_spki", "csrs"])
    def test_other_content_is_refused(self, world: Any, what: str) -> None:
        order = accepted(world)
        certify(order)
        value = {"card_serial": card(2).serial, "card_key_spki": card(2).key, "csrs": card(2).csrs}[what]
        with pytest.raises(Conflict, match="certificates-already-requested"):
            certify(order, **{what: value})

    @pytest.mark.parametrize("what", ["card_serial", "card_key_spki"])
    def test_a_card_or_key_of_another_order_is_refused(self, world: Any, what: str) -> None:
        certify(accepted(world))
        order = accepted(world)
        value = {"card_serial": card(1).serial, "card_key_spki": card(1).key}[what]
        with pytest.raises(Conflict, match="card-already-bound"):
            certify(order, card(2), **{what: value})
        assert CardOrder.objects.get(pk=order.pk).state == "accepted"
        assert Certificate.objects.count() == 4
        assert seq_agrees(order)

    def test_what_has_not_its_form(self, world: Any, subtests: pytest.Subtests) -> None:
        """One order for all, since none of the requests may bind a card."""
        order = accepted(world)
        wrong: list[dict[str, Any]] = [
            {"card_serial": "123"}, {"card_key_spki": b"no key"}, {"csrs": {}}, {"csrs": {**card(1).csrs, "function": b"x"}},
        ]  # fmt: skip
        for changes, field in zip(wrong, ("card_serial", "card_key", "csrs", "csrs"), strict=True):
            with subtests.test(changes=changes):
                with pytest.raises(Invalid) as refused:
                    certify(order, **changes)
                assert list(refused.value.fields) == [field]
                assert Carrier.objects.get().card_serial == ""

    def test_the_card_key_is_none_of_the_four(self, world: Any) -> None:
        from cryptography import x509
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        order = accepted(world)
        request = x509.load_der_x509_csr(card(1).csrs["person-id-auth"])
        spki = request.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        with pytest.raises(Invalid, match="card-key"):
            certify(order, card_key_spki=spki)

    def test_a_request_that_pki_refuses_leaves_nothing(self, world: Any) -> None:
        order = accepted(world)
        with pytest.raises(DomainError):
            certify(order, csrs={**card(1).csrs, "person-id-sign": card(1).csrs["person-id-sign"][:-3] + b"\0\0\0"})
        assert CardOrder.objects.get().state == "accepted"
        assert not Certificate.objects.exists()
        assert seq_agrees(order)

    def test_not_before_acceptance_and_not_for_a_revoked_carrier(self, world: Any) -> None:
        with pytest.raises(Conflict, match="order-not-accepted"):
            certify(world.order())
        order = accepted(world)
        revocation.revoke_carrier(actor=world.officer(), carrier_id=order.carrier_id, reason=RevocationReason.REPLACED)
        with pytest.raises(Conflict, match="carrier-revoked") as refused:
            certify(order)
        assert "sidan" not in refused.value.message  # the caller is an API
        assert not Certificate.objects.exists()

    def test_eight_requests_at_once_bind_one_card(self, world: Any) -> None:
        order = accepted(world)
        cards = [card(1 + number % 2) for number in range(8)]
        start, answers, errors = threading.Barrier(8), [], []

        def request(made: Card) -> None:
            start.wait()
            try:
                answers.append((made.serial, tuple(certify(order, made))))
            except Conflict as error:
                errors.append(error.code)
            finally:
                connection.close()

        threads = [threading.Thread(target=request, args=(made,)) for made in cards]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(answers) == 4
        assert len(set(answers)) == 1
        assert set(errors) == {"certificates-already-requested"}
        assert answers[0][0] == Carrier.objects.get().card_serial
        assert Certificate.objects.count() == 4
        assert Event.objects.filter(action="carrier.serial_bound").count() == 1


WRONG_EVENTS: list[tuple[Any, str]] = [
    (Produced("", "x"), "mifare_id"),
    (Produced("12345678901", "x"), "mifare_id"),
    (Produced("1"), "puk_jwe"),
    (Produced("1", "no.jwe"), "puk_jwe"),
    (Produced("1", no_puk=True), "no_puk"),
    (Produced("1", "x", no_puk=True), "no_puk"),
    (Sent(dt.date(2999, 1, 1)), "sent_on"),
    (lambda: Sent(clock.today() + DAY), "sent_on"),
    (lambda: Sent(clock.today() - DAY), "sent_on"),
    (Sent(dt.date(1999, 1, 1)), "sent_on"),
    (lambda: Sent(clock.today(), "LA1"), "registered_mail_id"),
    (Failed("Spilled coffee"), "reason"),
    (Returned("x" * 41), "reason"),
]


class TestReports:
    """Produced, sent, failed, returned."""

    def test_the_usual_course(self, world: Any) -> None:
        order = accepted(world, article="631-REK")
        certify(order)
        assert report(order, produced(order)) is EventOutcome.APPLIED
        carrier = Carrier.objects.get()
        secret = Secret.objects.get()
        assert (carrier.state, carrier.mifare_id, carrier.puk_secret_id) == ("ordered", "0123456789", secret.id)
        assert secret.expected_header == {"order": str(order.id), "serial": card(1).serial}
        open_puks()
        assert report(order, Sent(clock.today(), "LA00R351935SE")) is EventOutcome.APPLIED
        order.refresh_from_db()
        carrier.refresh_from_db()
        assert (order.state, order.sent_on, order.registered_mail_id) == ("sent", clock.today(), "LA00R351935SE")
        assert (carrier.state, carrier.sent_at is not None) == ("sent", True)
        assert seq_agrees(order)

    def test_what_has_not_its_form(self, world: Any, subtests: pytest.Subtests) -> None:
        """One order for all, since none of the reports may be kept."""
        order = accepted(world)
        certify(order)
        for number, (event, field) in enumerate(WRONG_EVENTS):
            with subtests.test(number=number):
                with pytest.raises(Invalid) as refused:
                    report(order, event() if callable(event) else event)
                assert list(refused.value.fields) == [field]
                assert not SupplierEvent.objects.exists()
                assert CardOrder.objects.get().state == "in_production"

    def test_a_card_is_sent_on_the_orders_day_in_stockholm_at_the_earliest(self, world: Any) -> None:
        with clock.moved_to(dt.datetime(2026, 5, 9, 22, 30, tzinfo=dt.UTC)):  # half past midnight on the tenth
            order = accepted(world)
            certify(order)
            report(order, produced(order))
            open_puks()
            with pytest.raises(Invalid) as refused:
                report(order, Sent(dt.date(2026, 5, 9)))
            assert "före beställningens dag" in refused.value.fields["sent_on"][0]
            assert report(order, Sent(dt.date(2026, 5, 10))) is EventOutcome.APPLIED

    def test_registered_mail_has_its_id(self, world: Any) -> None:
        order = accepted(world, article="631-REK")
        with pytest.raises(Invalid, match="event"):
            report(order, Sent(clock.today()))

    def test_the_same_report_twice_and_another_of_its_kind(self, world: Any) -> None:
        order = accepted(world)
        certify(order)
        assert report(order, produced(order)) is EventOutcome.APPLIED
        assert report(order, produced(order)) is EventOutcome.REPEATED  # another JWE of the same card
        with pytest.raises(Conflict, match="event-mismatch"):
            report(order, Produced("9", puk_jwe(order.id, card(1).serial)))
        open_puks()
        assert report(order, Sent(clock.today())) is EventOutcome.APPLIED
        assert report(order, Sent(clock.today())) is EventOutcome.REPEATED
        with pytest.raises(Conflict, match="event-mismatch"):
            report(order, Sent(clock.today(), "LA00R351935SE"))
        assert Event.objects.filter(action="order.sent").count() == 1
        assert Secret.objects.count() == 1

    def test_a_puk_that_could_not_be_opened_may_come_again(self, world: Any) -> None:
        order = accepted(world)
        certify(order)
        report(order, produced(order))
        open_puks("not-decrypted", heard=False)
        assert report(order, produced(order)) is EventOutcome.APPLIED
        assert Secret.objects.count() == 2
        assert Secret.objects.get(state=SecretState.RECEIVED).id == Carrier.objects.get().puk_secret_id
        assert Event.objects.filter(action="order.produced").count() == 1

    def test_a_parked_puk_of_another_card_is_dropped_and_the_certificates_stand(self, world: Any) -> None:
        order = accepted(world)
        assert report(order, Produced("1", "no.jwe.at.all.ever")) is EventOutcome.PARKED
        certify(order)
        assert CardOrder.objects.get().state == "in_production"
        assert not SupplierEvent.objects.exists()
        order.refresh_from_db()
        assert (order.card.puk, order.card.puk_refusal) == ("refused", "malformed")
        assert report(order, produced(order)) is EventOutcome.APPLIED
        order.refresh_from_db()
        assert (order.card.puk, order.card.puk_refusal) == ("pending", "")

    def test_a_failure_revokes_the_four_and_ends_the_order(self, world: Any) -> None:
        order = accepted(world)
        ids = certify(order)
        report(order, produced(order))
        assert report(order, Failed("misprint")) is EventOutcome.APPLIED
        order.refresh_from_db()
        assert (order.state, order.failure_reason, Carrier.objects.get().state, Eid.objects.get().state) == (
            "failed", "misprint", "revoked", "revoked",
        )  # fmt: skip
        assert {row.reason for row in Certificate.objects.filter(pk__in=ids)} == {"cessationOfOperation"}
        assert Secret.objects.get().state == SecretState.DESTROYED
        assert report(order, Sent(clock.today())) is EventOutcome.NOTED
        assert CardOrder.objects.get().state == "failed"

    def test_a_failure_before_certificates_cancels(self, world: Any) -> None:
        order = accepted(world)
        report(order, Failed("misprint"))
        assert (Carrier.objects.get().state, Eid.objects.get().state) == ("cancelled", "cancelled")
        with pytest.raises(Conflict, match="order-closed"):
            certify(order)

    @pytest.mark.parametrize("event", [Returned("unknown-address"), Failed("misprint")])
    def test_a_card_with_a_chosen_code_is_neither_returned_nor_failed(self, world: Any, event: Any) -> None:
        order = accepted(world)
        certify(order)
        report(order, produced(order))
        open_puks()
        report(order, Sent(clock.today()))
        Carrier.objects.update(state="activated_unsigned", code_set_at=clock.now())
        assert report(order, event) is EventOutcome.NOTED
        assert (CardOrder.objects.get().state, Carrier.objects.get().state) == ("sent", "activated_unsigned")
        assert Event.objects.get(action="order.report_noted").facts == {"kind": event.kind, "outcome": "noted"}

    def test_what_comes_back_is_revoked(self, world: Any) -> None:
        order = accepted(world)
        certify(order)
        report(order, produced(order))
        open_puks()
        for event in (Sent(clock.today()), Returned("unknown-address")):
            report(order, event)
        carrier = Carrier.objects.get()
        assert (CardOrder.objects.get().state, carrier.state, carrier.revocation_reason) == ("returned", "revoked", "returned")

    def test_reports_do_not_revive_a_revoked_card(self, world: Any) -> None:
        order = accepted(world)
        certify(order)
        report(order, produced(order))
        revocation.revoke_carrier(actor=world.officer(), carrier_id=order.carrier_id, reason=RevocationReason.LOST_OR_STOLEN)
        assert report(order, Sent(clock.today())) is EventOutcome.APPLIED
        carrier = Carrier.objects.get()
        assert (carrier.state, carrier.puk_secret_id, carrier.sent_at) == ("revoked", None, None)
        assert CardOrder.objects.get().state == "sent"  # the card was made and is charged
        assert not Secret.objects.exclude(state=SecretState.DESTROYED).exists()
        assert Event.objects.get(action="order.sent").facts["carrier"] == "revoked"

    def test_a_card_is_not_produced_before_its_certificates_are_issued(self, world: Any) -> None:
        """The signer is down: the reports wait, three of four do not do, and the sweeper brings them on."""
        order = accepted(world)
        ids = request(order)
        assert report(order, produced(order)) is EventOutcome.PARKED
        assert report(order, Sent(clock.today())) is EventOutcome.PARKED
        issue(ids[:3])
        supplier_events.replay_reports(client_ref=ME, order_id=order.id)
        assert supplier_events.replay_all() == 0
        assert (CardOrder.objects.get().state, Carrier.objects.get().state) == ("in_production", "ordered")
        assert not service.billable_facts(feeds.START, limit=1)
        issue(ids[3:])
        assert supplier_events.replay_all() == 0  # produced, and waits for its PUK
        assert CardOrder.objects.get().state == "produced"
        open_puks(heard=False)
        assert supplier_events.replay_all() == 1
        assert (CardOrder.objects.get().state, Carrier.objects.get().state) == ("sent", "sent")
        assert len(service.billable_facts(feeds.START, limit=2)) == 1
        assert supplier_events.replay_all() == 0
        assert Secret.objects.count() == 1
        assert seq_agrees(order)

    def test_the_suppliers_next_call_brings_on_what_waited(self, world: Any) -> None:
        order = accepted(world)
        request(order)
        assert report(order, produced(order)) is EventOutcome.PARKED
        issue()
        assert report(order, produced(order)) is EventOutcome.REPEATED
        assert CardOrder.objects.get().state == "produced"
        other = accepted(world)
        request(other, card(2))
        assert report(other, produced(other, card(2).serial)) is EventOutcome.PARKED
        issue()
        request(other, card(2))
        assert CardOrder.objects.get(pk=other.pk).state == "produced"

    @pytest.mark.parametrize("parked_first", [True, False])
    @pytest.mark.parametrize("end", ["revoked", "failed"])
    def test_a_card_whose_certificate_will_not_be_is_not_charged(self, world: Any, end: str, parked_first: bool) -> None:
        order = accepted(world)
        ids = request(order)
        issue(ids[:3])
        outcomes = [report(order, produced(order)), report(order, Sent(clock.today()))] if parked_first else []
        revoked = {"revoked_at": clock.now(), "reason": "unspecified"} if end == "revoked" else {}
        Certificate.objects.filter(pk=ids[3]).update(status=end, held=False, **revoked)
        if parked_first:
            assert outcomes == [EventOutcome.PARKED] * 2
            assert supplier_events.replay_all() == 1
            assert supplier_events.replay_all() == 0
        else:
            assert [report(order, produced(order)), report(order, Sent(clock.today()))] == [EventOutcome.NOTED] * 2
        assert set(SupplierEvent.objects.values_list("status", flat=True)) == {"noted"}
        assert all("puk_jwe" not in row.payload for row in SupplierEvent.objects.all())
        assert CardOrder.objects.get().state == "in_production"
        assert not service.billable_facts(feeds.START, limit=1)
        assert not Secret.objects.exists()
        assert report(order, Failed("no-certificates")) is EventOutcome.APPLIED
        assert (CardOrder.objects.get().state, Carrier.objects.get().state) == ("failed", "revoked")

    def test_eight_reports_at_once_are_one(self, world: Any) -> None:
        order = accepted(world)
        certify(order)
        report(order, produced(order))
        open_puks()
        start, outcomes = threading.Barrier(8), []

        def send() -> None:
            start.wait()
            try:
                outcomes.append(report(order, Sent(clock.today())))
            finally:
                connection.close()

        threads = [threading.Thread(target=send) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(outcomes) == [EventOutcome.APPLIED] + [EventOutcome.REPEATED] * 7
        assert Event.objects.filter(action="order.sent").count() == 1
        assert Carrier.objects.get().seq == 4  # ordered, bound, produced, sent


class TestPuk:
    """A sent card needs a sealed PUK."""

    def sent_early(self, world: Any) -> CardOrder:
        """An order whose supplier reported the card produced and sent before the PUK was opened."""
        order = accepted(world)
        certify(order)
        assert report(order, produced(order)) is EventOutcome.APPLIED
        assert report(order, Sent(clock.today())) is EventOutcome.PARKED
        return order

    def seen(self, order: CardOrder) -> tuple[str, str, str]:
        order.refresh_from_db()
        return order.state, order.card.puk, order.card.puk_refusal

    @pytest.mark.parametrize("heard", [True, False])
    def test_sent_waits_for_the_seal_and_keeps_its_day(self, world: Any, heard: bool) -> None:
        """By the signal, or, where Redis lost it, by the sweeper."""
        day = clock.today()
        order = self.sent_early(world)
        assert self.seen(order) == ("produced", "pending", "")
        assert not service.billable_facts(feeds.START, limit=1)
        with clock.moved_to(clock.now() + 2 * DAY):
            open_puks(heard=heard)
            assert heard or supplier_events.replay_all() == 1
        assert self.seen(order) == ("sent", "sealed", "")
        assert order.sent_on == day
        assert len(service.billable_facts(feeds.START, limit=2)) == 1
        assert [event.action for event in Event.objects.filter(action__startswith="order.puk")] == ["order.puk_sealed"]
        assert supplier_events.replay_all() == 0
        assert seq_agrees(order)

    def test_a_refused_puk_is_shown_and_replaced_by_produced_again(self, world: Any) -> None:
        order = self.sent_early(world)
        open_puks("not-decrypted")
        assert self.seen(order) == ("produced", "refused", "not-decrypted")
        event = Event.objects.get(action="order.puk_refused")
        assert (event.subject_ref, event.facts) == (str(order.id), {"puk_refusal": "not-decrypted"})
        assert report(order, Sent(clock.today())) is EventOutcome.REPEATED
        assert self.seen(order)[0] == "produced"
        assert report(order, produced(order)) is EventOutcome.APPLIED
        assert self.seen(order) == ("produced", "pending", "")
        open_puks()
        assert self.seen(order) == ("sent", "sealed", "")
        assert Carrier.objects.get().state == "sent"

    def test_a_card_that_ends_with_a_refused_puk_is_not_charged(self, world: Any) -> None:
        order = self.sent_early(world)
        open_puks("format")
        revocation.revoke_carrier(actor=world.officer(), carrier_id=order.carrier_id, reason=RevocationReason.REPLACED)
        supplier_events.replay_all()
        assert SupplierEvent.objects.get(kind="sent").status == "noted"
        assert self.seen(order)[0] == "produced"
        assert not service.billable_facts(feeds.START, limit=1)

    def test_a_reader_sees_the_outcome_before_the_order_has_learnt_it(self, world: Any) -> None:
        order = self.sent_early(world)
        open_puks("format", heard=False)
        assert supplier_intake.order(client_ref=ME, order_id=order.id).card.puk_refusal == "format"
        (listed,) = own_orders(client_ref=ME, state=OrderState.PRODUCED, after=None, limit=5)
        assert (listed.card.puk, listed.card.puk_refusal) == ("refused", "format")
        assert self.seen(order)[1] == "pending"

    def test_operators_see_refused_puks_and_how_long_sent_cards_wait(self, world: Any) -> None:
        order_measures.measure()
        assert gauges() == (0, 0)
        self.sent_early(world)
        open_puks("format")
        with clock.moved_to(clock.now() + dt.timedelta(hours=2)):
            order_measures.measure()
        refused, waited = gauges()
        assert refused == 1
        assert 7200 <= waited < 7300
        report(CardOrder.objects.get(), Failed("misprint"))
        order_measures.measure()
        assert gauges() == (0, 0)


def gauges() -> tuple[float, float]:
    """What `order_measures` exposes."""
    names = ("card_orders_puk_refused", "card_orders_sent_waiting_seconds")
    refused, waited = (REGISTRY.get_sample_value(name) for name in names)
    assert refused is not None
    assert waited is not None
    return refused, waited


def run(world: Any, course: list[str], made: Card) -> tuple[Any, ...]:
    """Plays a course of acts on a new order and returns what it left behind."""
    order = accepted(world, post=world.post())
    acts: dict[str, Callable[[], object]] = {
        "certificates": lambda: request(order, made),
        "issued": lambda: issue(order.carrier.certificates.values_list("certificate_id", flat=True)),
        "opened": open_puks,
        "swept": supplier_events.replay_all,
        "produced": lambda: report(order, produced(order, made.serial)),
        "sent": lambda: report(order, Sent(clock.today())),
        "returned": lambda: report(order, Returned()),
        "failed": lambda: report(order, Failed("misprint")),
    }
    for act in course:
        try:
            acts[act]()
        except Conflict:
            if act != "certificates":  # after a failure there is nothing to certify
                raise
    order.refresh_from_db()
    carrier = order.carrier
    assert seq_agrees(order)
    assert all("puk_jwe" not in row.payload for row in order.card.supplier_events.exclude(status="parked"))
    return (
        order.state, carrier.state, order.eid.state, order.sent_on, carrier.mifare_id, carrier.revocation_reason,
        [event.action for event in steps("order", order.id)], sorted(order.card.supplier_events.values_list("kind", "status")),
    )  # fmt: skip


CARDS = itertools.count(100)
# Examples share the fixture, and each plays orders of its own. How long they take says what else the machine does.
SLOW_OR_SHARED = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]


@pytest.fixture
def usual_end(world: Any) -> Callable[..., tuple[Any, ...]]:
    """What a usual course left behind, which is played once."""
    return functools.cache(lambda *course: run(world, list(course), card(next(CARDS))))


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW_OR_SHARED)
@given(data=st.data(), natural=st.sampled_from([3, 4]))
def test_any_order_and_duplication_of_reports_ends_the_same(
    world: Any, usual_end: Callable[..., tuple[Any, ...]], data: st.DataObject, natural: int, tally: Tally
) -> None:
    """Certificates, produced, sent and maybe returned, in any order, any of them again, the signer early or late, the PUK opened
    and the sweeper at any time: the end is that of the usual course.
    """
    course = ["certificates", "produced", "sent", "returned"][:natural]
    acts = data.draw(st.permutations(course + data.draw(st.lists(st.sampled_from([*course, "opened", "swept"]), max_size=3))))
    signed = data.draw(st.integers(acts.index("certificates") + 1, len(acts)))
    disorder = [*acts[:signed], "issued", *acts[signed:], "swept", "opened", "swept"]
    usual = ["certificates", "issued", "produced", "opened", *course[2:]]
    tally.run([repr(usual_end(*usual))], [repr(run(world, disorder, card(next(CARDS))))], "ends")


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW_OR_SHARED)
@given(data=st.data())
def test_a_failed_order_stays_failed_whatever_else_is_reported(world: Any, data: st.DataObject) -> None:
    course = data.draw(st.permutations(["certificates", "produced", "failed", "failed", "produced"]))
    state, carrier, eid, *_ = run(world, course, card(next(CARDS)))
    assert state == "failed"
    assert (carrier, eid) in {("revoked", "revoked"), ("cancelled", "cancelled")}


class TestCustomisation:
    """Logotypes of card customisations."""

    def put(self, world: Any, png: bytes, *, sha256: str = "", client_ref: str = ME) -> Any:
        import hashlib

        return supplier_intake.put_logotype(
            client_ref=client_ref, customisation_id="7837803902", png=png, sha256=sha256 or hashlib.sha256(png).hexdigest(),
            check=lambda _row: None,
        )  # fmt: skip

    def test_a_new_one_is_to_be_verified_the_same_changes_nothing(self, world: Any) -> None:
        assert self.put(world, LOGOTYPE).verified_at is not None
        assert not Event.objects.filter(action="customisation.logotype_changed").exists()
        changed = self.put(world, other_png())
        assert (changed.verified_at, changed.verified_by_ref) == (None, "")
        assert Event.objects.get(action="customisation.logotype_changed").facts["organisation"] == str(world.region.id)
        with pytest.raises(Conflict, match="customisation-not-verified"):
            world.order()
        verify_customisation(actor=SETUP, customisation_id=changed.id)
        assert world.order().state == "queued"

    def test_orders_wait_until_it_is_verified_again(self, world: Any) -> None:
        order = world.order()
        row = self.put(world, other_png())
        assert supplier_intake.queued_orders(client_ref=ME) == []
        with pytest.raises(Conflict, match="customisation-not-verified"):
            supplier_intake.accept(client_ref=ME, order_id=order.id)
        verify_customisation(actor=SETUP, customisation_id=row.id)
        assert supplier_intake.queued_orders(client_ref=ME) == [order]
        self.put(world, LOGOTYPE)
        with pytest.raises(Conflict):
            supplier_intake.accept(client_ref=ME, order_id=order.id)
        verify_customisation(actor=SETUP, customisation_id=row.id)
        assert supplier_intake.accept(client_ref=ME, order_id=order.id).state == "accepted"
        self.put(world, other_png())  # what a supplier has is not taken back
        assert supplier_intake.accept(client_ref=ME, order_id=order.id).state == "accepted"

    def test_the_first_of_one_that_was_verified_without_is_to_be_verified_too(self, world: Any) -> None:
        CardCustomisation.objects.update(logotype=None)
        assert self.put(world, LOGOTYPE).verified_at is None

    def test_what_is_refused(self, world: Any) -> None:
        before = supplier_intake.customisation(client_ref=ME, customisation_id="7837803902").logotype_id
        for png, sha256 in ((b"GIF89a", ""), (LOGOTYPE + b"tail", ""), (LOGOTYPE, "0" * 64)):
            with pytest.raises(Invalid):
                self.put(world, png, sha256=sha256)
        with pytest.raises(NotFound):
            supplier_intake.customisation(client_ref=ME, customisation_id="0000000000")
        assert supplier_intake.customisation(client_ref=ME, customisation_id="7837803902").logotype_id == before

    def test_another_suppliers_customisation_does_not_exist(self, world: Any) -> None:
        with pytest.raises(NotFound):
            supplier_intake.customisation(client_ref=OTHER, customisation_id="7837803902")
        with pytest.raises(NotFound):
            self.put(world, other_png(), client_ref=OTHER)
        assert self.put(world, other_png()).logotype is not None


def other_png() -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (2, 2), "white").save(out, "PNG")
    return out.getvalue()
