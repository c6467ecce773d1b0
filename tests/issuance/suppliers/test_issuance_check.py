"""Certificates on cards are signed only for an order, and what has none is found afterwards (attack 25)."""

import contextlib
import datetime as dt
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from issuance.carriers.models import Carrier, CarrierCertificate, Eid
from issuance.orders.models.orders import CardOrder, OrderItem
from issuance.people.models.persons import Person
from issuance.suppliers.services import card_certificates, supplier_intake
from issuance.suppliers.services.issuance_check import OrderedCards
from pki import service as pki
from pki.issuing import signing
from pki.models import Certificate, Event
from pki.ports import CardCertificate
from siths_portal.lib import clock
from tests.issuance.activated import CLIENT, _pooled_keys, sent_card
from tests.pki import every_card
from tests.pki.orders import BY_PROFILE, csr, order, plan

NOW = clock.now()
pytestmark = pytest.mark.usefixtures("demo_pki")


@pytest.fixture
def planned(world: Any) -> tuple[CardOrder, list[uuid.UUID]]:
    """An order whose supplier has asked for the four certificates; nothing is signed yet."""
    keys = _pooled_keys()
    ordered = world.order()
    supplier_intake.accept(client_ref=CLIENT, order_id=ordered.id)
    ids = card_certificates.request_certificates(
        client_ref=CLIENT, order_id=ordered.id, card_serial=keys.serial, card_key_spki=keys.key_spki(), csrs=keys.csrs()
    )
    return CardOrder.objects.get(pk=ordered.pk), ids


def refused_as(ids: list[uuid.UUID]) -> set[str]:
    """Signs, and returns why rows were given up."""
    signing.sign_reserved(ids)
    rows = list(Certificate.objects.filter(id__in=ids).values_list("status", "failure"))
    assert {status for status, _failure in rows} <= {"failed", "issued"}
    return {failure for status, failure in rows if status == "failed"}


def test_an_ordered_card_gets_its_four_certificates(planned: Any) -> None:
    _order, ids = planned
    assert refused_as(ids) == set()
    assert {view.status for view in pki.certificates(ids)} == {"issued"}


def test_ones_own_key_with_invented_references_and_no_order_is_never_signed() -> None:
    """The attacker has the rights of the API's process and a key in software."""
    ids = [
        plan(
            order(profile, csr_der=csr(ec.generate_private_key(ec.SECP256R1())), subject_ref="person:x", carrier_ref="carrier:x")
        )[0]
        for profile in BY_PROFILE
        if profile not in ("function", "seal", "time-stamp", "letter")
    ]
    assert refused_as(ids) == {"not ordered: no-order"}
    assert Event.objects.filter(action="certificate.failed").count() == len(ids)
    (facts,) = {str(event.facts) for event in Event.objects.filter(action="certificate.failed")}
    assert "no-order" in facts
    assert signing.settle() == 0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda row: Carrier.objects.filter(pk=row.carrier_id).update(card_serial="9752" + "9" * 15), "card"),
        (lambda row: Eid.objects.filter(pk=row.eid_id).update(hsa_id="SE5599990008-EVIL"), "subject"),
        (lambda row: Eid.objects.filter(pk=row.eid_id).update(mail="other@example.org"), "subject"),
        (lambda row: Person.objects.filter(pk=row.carrier.person_id).update(surname="Annan"), "subject"),
        (lambda row: Carrier.objects.filter(pk=row.carrier_id).update(assurance_level=2), "profile"),
        (lambda row: OrderItem.objects.filter(order=row).update(state="waiting"), "order-state"),
        (lambda row: Carrier.objects.filter(pk=row.carrier_id).update(state="revoked"), "order-state"),
        (lambda row: Eid.objects.filter(pk=row.eid_id).update(valid_to=clock.now() + dt.timedelta(days=1)), "validity"),
        (lambda row: CarrierCertificate.objects.filter(carrier=row.carrier_id).delete(), "no-order"),
        (lambda row: Certificate.objects.filter(carrier_ref=f"carrier:{row.carrier_id}").update(carrier_ref="carrier:x"), "card"),
        (lambda row: Certificate.objects.filter(carrier_ref=f"carrier:{row.carrier_id}").update(held=False), "hold"),
        (lambda row: Certificate.objects.filter(subject_ref__startswith="person:").update(subject_ref="person:x"), "subject"),
    ],
)
def test_what_does_not_agree_with_its_order_is_not_signed(planned: Any, change: Any, reason: str) -> None:
    ordered, ids = planned
    with as_superuser():
        change(ordered)
    assert f"not ordered: {reason}" in refused_as(ids)


def test_profiles_of_one_order_cannot_change_places(planned: Any) -> None:
    """The link says log-in, the bytes say signature."""
    _ordered, ids = planned
    rows = {row.profile: row for row in CarrierCertificate.objects.filter(certificate_id__in=ids)}
    first, second = rows["person-id-auth"], rows["person-id-sign"]
    with as_superuser():
        for row, profile in ((first, "x"), (second, first.profile), (first, second.profile)):
            CarrierCertificate.objects.filter(pk=row.pk).update(profile=profile)
    assert refused_as(ids) == {"not ordered: profile"}


def test_a_batch_asks_as_often_as_one(world: Any) -> None:
    counts = []
    for _ in range(2):
        sent_card(world)
        links = CarrierCertificate.objects.select_related("carrier")
        seen = [
            CardCertificate(
                link.certificate_id,
                "person-id-3",
                link.profile,
                "",
                f"carrier:{link.carrier_id}",
                b"",
                b"",
                "",
                clock.now(),
                True,
            )
            for link in links
        ]
        with CaptureQueriesContext(connection) as queries:
            assert set(OrderedCards().refusals(seen)) == {each.id for each in seen}
            OrderedCards().without_order({each.id: each.carrier_ref for each in seen})
        counts.append(len(queries))
    assert counts == [6, 6]


def test_issued_certificates_that_no_order_accounts_for_are_found(world: Any) -> None:
    made = sent_card(world)
    with every_card.connected():
        forged = plan(order("person-id-auth", carrier_ref="carrier:x"))
        assert signing.sign_reserved(forged) == 1
    good = list(CarrierCertificate.objects.filter(carrier=made.carrier).values_list("certificate_id", flat=True))
    assert OrderedCards().without_order(dict.fromkeys([*good, *forged], f"carrier:{made.carrier.pk}")) == {forged[0]: "no-order"}
    assert OrderedCards().without_order(dict.fromkeys(good, "carrier:x")) == dict.fromkeys(good, "another-card")


def test_a_card_in_use_without_its_holders_receipt_is_found(world: Any) -> None:
    """The comparison finds such a row if the constraint of the database is gone. A sent card needs no receipt yet."""
    card = sent_card(world).carrier
    issued = {row.certificate_id: f"carrier:{card.pk}" for row in CarrierCertificate.objects.filter(carrier=card)}
    assert OrderedCards().without_order(issued) == {}
    with as_superuser():
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE issuance_carrier DROP CONSTRAINT issuance_active_has_receipt")
        Carrier.objects.filter(pk=card.pk).update(state="active")
        found = OrderedCards().without_order(issued)
        transaction.set_rollback(True)  # the constraint is back
    assert found == dict.fromkeys(issued, "no-receipt")


@contextlib.contextmanager
def as_superuser() -> Iterator[None]:
    """The mapper as one who gets past every right and trigger."""
    before = dict(connection.settings_dict)
    connection.close()
    connection.settings_dict["USER"] = "postgres"
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            yield
    finally:
        connection.close()
        connection.settings_dict.update(before)
