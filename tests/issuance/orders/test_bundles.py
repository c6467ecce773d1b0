"""Bundles of reserve cards: ordered whole, made item by item, named by no person, billed by the piece."""

import uuid
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance import service
from issuance.authz import Role
from issuance.carriers.models import Carrier, CarrierCertificate
from issuance.customisations.models import CardCustomisation
from issuance.housekeeping.services.state_integrity import verify_states
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.orders.services import ordering
from issuance.orders.services.bundles import LARGEST, Bundle, order_bundle
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import revocation
from issuance.suppliers import queries
from issuance.suppliers.domain import EventOutcome, Failed, Produced, Sent
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from pki import service as pki
from pki.issuing import signing
from pki.models import Certificate
from siths_portal.lib import clock
from siths_portal.lib.database import feeds
from siths_portal.lib.errors import Conflict, Forbidden, Invalid
from tests.issuance.authorities import serial_of
from tests.issuance.orders.bundles import ARTICLE, bundle, prepare
from tests.issuance.suppliers.intake import delivery_read
from tests.issuance.suppliers.items import states
from tests.issuance.suppliers.test_issuance_check import as_superuser
from tests.issuance.world import SUPPLIER
from tests.pki.orders import csr


@pytest.fixture
def ready(world: Any) -> Any:
    prepare(world.region, world.office)
    return world


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def certify(order: CardOrder, item: int, serial: str) -> list[uuid.UUID]:
    return card_certificates.request_certificates(
        client_ref=SUPPLIER, order_id=order.id, item=item, card_serial=serial, card_key_spki=spki(new_key()),
        csrs={"transport": csr(new_key())},
    )  # fmt: skip


def report(order: CardOrder, item: int, event: Any) -> EventOutcome:
    return supplier_events.register_event(client_ref=SUPPLIER, order_id=order.id, item=item, event=event)


class TestOrdering:
    """`order_bundle`."""

    def test_each_card_is_an_item_with_a_carrier_and_no_person(self, ready: Any) -> None:
        order = bundle(ready.region, ready.office, 3)
        assert (order.person_id, order.supplier_ref, states(order)) == (None, SUPPLIER, ("queued", ["waiting"] * 3))
        carriers = list(Carrier.objects.filter(item__order=order))
        assert {(row.kind, row.state, row.person_id, row.assurance_level) for row in carriers} == {
            ("reserve_card", "ordered", None, 2)
        }
        assert order.customisation == CardCustomisation.objects.get(generic=True)
        assert Event.objects.get(action="order.submitted", subject_ref=str(order.id)).facts["quantity"] == 3
        assert verify_states().wrong == ()

    def test_the_number_of_statements_does_not_grow_with_the_cards(self, ready: Any) -> None:
        counts = []
        for quantity in (2, 400):
            with CaptureQueriesContext(connection) as queries_run:
                bundle(ready.region, ready.office, quantity)
            counts.append(len(queries_run))
        assert counts[0] == counts[1]

    def test_the_same_key_is_one_order_and_other_content_is_refused(self, ready: Any) -> None:
        first = bundle(ready.region, ready.office, 2, key="one")
        assert bundle(ready.region, ready.office, 2, key="one") == first
        with pytest.raises(Conflict, match="idempotency-mismatch"):
            bundle(ready.region, ready.office, 3, key="one")
        assert OrderItem.objects.filter(order=first).count() == 2

    @pytest.mark.parametrize("quantity", [0, -1, LARGEST + 1])
    def test_a_bundle_has_one_to_two_thousand_cards(self, ready: Any, quantity: int) -> None:
        with pytest.raises(Invalid, match="quantity"):
            bundle(ready.region, ready.office, quantity)

    def test_what_stands_in_the_way(self, ready: Any) -> None:
        for article in ("631", "999"):
            with pytest.raises(Invalid, match="article-not-orderable"):
                bundle(ready.region, ready.office, article_code=article)
        with pytest.raises(Invalid, match="article-not-orderable"):
            bundle(ready.city, ready.office)  # the organisation has not chosen the article
        Office.objects.update(city="")
        with pytest.raises(Invalid, match="office-without-address"):
            bundle(ready.region, ready.office)
        CardCustomisation.objects.filter(generic=True).update(verified_at=None)
        with pytest.raises(Conflict, match="customisation-not-verified"):
            bundle(ready.region, ready.office)
        wanted = Bundle(ready.region.id, ARTICLE, ready.office.id, 1)
        with pytest.raises(Forbidden):
            order_bundle(actor=ready.officer(role=Role.ID_ADMINISTRATOR), bundle=wanted, idempotency_key="x")
        assert not CardOrder.objects.exists()

    def test_a_queued_bundle_can_be_removed(self, ready: Any) -> None:
        order = bundle(ready.region, ready.office, 3)
        ordering.cancel_order(actor=ready.officer(), order_id=order.id)
        assert states(order) == ("cancelled", ["cancelled"] * 3)
        assert set(Carrier.objects.values_list("state", flat=True)) == {"cancelled"}
        assert verify_states().wrong == ()

    def test_a_revoked_card_leaves_the_others_in_the_queue(self, ready: Any) -> None:
        order = bundle(ready.region, ready.office, 2)
        for left, item in ((True, 1), (False, 2)):
            carrier = OrderItem.objects.get(order=order, number=item).made
            revocation.revoke_carrier(actor=ready.officer(), carrier_id=carrier.pk, reason=RevocationReason.REPLACED)
            assert states(order)[0] == ("queued" if left else "cancelled")
        told = [row for row in queries.changes_after(client_ref=SUPPLIER, number=0, limit=9) if row.order_id == order.pk]
        assert [(row.kind, row.item) for row in told] == [("revoked", 1), ("cancelled", None)]


class TestMaking:
    """By the supplier, item by item."""

    def test_it_goes_to_the_office_and_names_no_person(self, ready: Any, authorities: Any) -> None:
        order = bundle(ready.region, ready.office, 2)
        supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
        delivery = delivery_read(order.id, client_ref=SUPPLIER)
        assert delivery.address is not None
        assert (delivery.recipient, delivery.address.lines, delivery.address.city) == (
            "Regionen", ("Kortrummet", "Lagergatan 1"), "Provstad",
        )  # fmt: skip
        shown = supplier_intake.order(client_ref=SUPPLIER, order_id=order.id)
        printed = supplier_intake.printed(shown)
        assert (printed.given_name, printed.surname, printed.service_id, printed.issuer_number) == (None, None, None, "1500")
        assert printed.valid_to is not None

    def test_cards_get_transport_certificates_and_the_bundle_is_billed_by_the_piece(self, ready: Any, demo_pki: Any) -> None:
        order = bundle(ready.region, ready.office, 3)
        supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
        for item in (1, 2):
            serial = serial_of(item)
            ids = certify(order, item, serial)
            signing.sign_reserved(ids)
            (view,) = pki.certificates(ids)
            assert (view.status, view.profile, view.ca, view.held) == ("issued", "transport", "person-hsaid-2", False)
            assert serial.encode() in (view.der or b"")
            with pytest.raises(Invalid, match="event"):
                report(order, item, Produced("1", "x" * 40))
            assert report(order, item, Produced("1", no_puk=True)) is EventOutcome.APPLIED
            assert report(order, item, Sent(clock.today())) is EventOutcome.APPLIED
        report(order, 3, Failed("misprint"))
        assert states(order) == ("sent", ["sent", "sent", "failed"])
        assert [(fact.kind, fact.quantity, fact.item) for fact in service.billable_facts(feeds.START, limit=9)] == [
            ("reserve_card", 2, None), ("reproduction", 1, 3),
        ]  # fmt: skip
        assert CarrierCertificate.objects.filter(eid=None, profile="transport").count() == 2
        assert [item.puk for item in queries.items_after(client_ref=SUPPLIER, order_id=order.id, number=0, limit=2)] == [
            "none"
        ] * 2
        assert verify_states().wrong == ()

    def test_a_transport_certificate_is_signed_for_its_own_card_only(self, ready: Any, demo_pki: Any) -> None:
        order = bundle(ready.region, ready.office, 2)
        supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
        first, second = certify(order, 1, serial_of(1)), certify(order, 2, serial_of(2))
        with as_superuser():
            Carrier.objects.filter(card_serial=serial_of(1)).update(card_serial=serial_of(3))
        signing.sign_reserved([*first, *second])
        found = dict(Certificate.objects.filter(pk__in=[*first, *second]).values_list("pk", "failure"))
        assert found == {first[0]: "not ordered: card", second[0]: ""}

    def test_other_requests_than_for_the_transport_certificate_are_refused(self, ready: Any, demo_pki: Any) -> None:
        order = bundle(ready.region, ready.office, 1)
        supplier_intake.accept(client_ref=SUPPLIER, order_id=order.id)
        for csrs in ({}, {"person-id-auth": csr(new_key())}, {"transport": csr(new_key()), "person-id-auth": csr(new_key())}):
            with pytest.raises(Invalid, match="csrs"):
                card_certificates.request_certificates(
                    client_ref=SUPPLIER, order_id=order.id, item=1, card_serial=serial_of(1),
                    card_key_spki=spki(new_key()), csrs=csrs,
                )  # fmt: skip
