"""Revocations that begin in `pki`, as operators make them, reach carriers, eIDs and orders."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from issuance import service
from issuance.authz import system
from issuance.carriers.domain.kinds import CARD_PROFILES, HSA_PROFILES, PERSON_ID_PROFILES
from issuance.carriers.models import Carrier, Eid
from issuance.housekeeping.services import deadlines
from issuance.imports.services import migration
from issuance.orders.models.orders import CardOrder
from issuance.records.models.events import Event
from issuance.revocation.domain import RevocationReason
from issuance.revocation.services import certificate_revocation, revocation
from issuance.suppliers.domain import EventOutcome, Produced, Sent
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from pki.models import Certificate, Revocation, Secret, SecretState
from pki.revocation.revoking import RevocationRequest, revoke_serial
from pki.signals import certificate_revoked
from siths_portal.lib import clock
from siths_portal.lib.database import feeds
from tests.issuance.authorities import card, issue, open_puks, puk_jwe
from tests.issuance.migrated import CA, migrated_card

pytestmark = pytest.mark.usefixtures("authorities")
UID = "issuance.certificate_revocation"
RULE = "system:certificate-revoked"


def active(world: Any) -> Carrier:
    return migration.register_migrated_card(actor=system("migration"), card=migrated_card(world.post()), ca=CA)


def in_production(world: Any) -> CardOrder:
    order, made = world.order(), card(1)
    supplier_intake.accept(client_ref="bureau", order_id=order.id)
    card_certificates.request_certificates(
        client_ref="bureau", order_id=order.id, card_serial=made.serial, card_key_spki=made.key, csrs=made.csrs
    )
    return CardOrder.objects.get(pk=order.id)


def operator_revokes(carrier: Carrier, *profiles: str) -> None:
    """Each certificate in a transaction of its own, as the command does."""
    for row in carrier.certificates.filter(profile__in=profiles):
        certificate = Certificate.objects.select_related("ca").get(pk=row.pk)
        request = RevocationRequest("keyCompromise", "user:operator", clock.now(), "system")
        revoke_serial(certificate.ca, int(certificate.serial, 16), request)


def states(carrier: Carrier) -> tuple[str, str]:
    return Carrier.objects.get(pk=carrier.pk).state, Eid.objects.get(carrier=carrier).state


def statuses(carrier: Carrier) -> list[str]:
    rows = Certificate.objects.in_bulk(list(carrier.certificates.values_list("certificate_id", flat=True)))
    return [rows[carrier.certificates.get(profile=profile).pk].status for profile in CARD_PROFILES]


@pytest.mark.parametrize(
    ("profiles", "after", "certificates"),
    [
        (PERSON_ID_PROFILES, ("revoked", "revoked"), ["revoked"] * 4),
        (CARD_PROFILES, ("revoked", "revoked"), ["revoked"] * 4),
        (HSA_PROFILES, ("active", "revoked"), ["revoked", "revoked", "issued", "issued"]),
        (HSA_PROFILES[:1], ("active", "active"), ["revoked", "issued", "issued", "issued"]),
        (PERSON_ID_PROFILES[:1], ("active", "active"), ["issued", "issued", "revoked", "issued"]),
    ],
)
def test_a_card_in_use(world: Any, profiles: tuple[str, ...], after: tuple[str, str], certificates: list[str]) -> None:
    carrier, other = active(world), active(world)
    operator_revokes(carrier, *profiles)
    assert (states(carrier), statuses(carrier)) == (after, certificates)
    assert (states(other), statuses(other)) == (("active", "active"), ["issued"] * 4)
    for name, state in zip(("carrier", "eid"), after, strict=True):
        events = Event.objects.filter(action=f"{name}.revoked")
        assert [(event.actor_ref, event.facts["reason"]) for event in events] == (
            [(RULE, "certificate_revoked")] if state == "revoked" else []
        )
    if after[0] == "revoked":
        assert Carrier.objects.get(pk=carrier.pk).revocation_reason == "certificate_revoked"


@pytest.mark.parametrize("profile", CARD_PROFILES)
def test_a_card_in_production_cannot_be_completed_without_one_of_the_four(world: Any, profile: str) -> None:
    """As when the sweeper of `pki` revokes what may have been signed."""
    order = in_production(world)
    operator_revokes(order.carrier, profile)
    order.refresh_from_db()
    assert (order.state, order.failure_reason) == ("failed", "certificate-revoked")
    assert (states(order.carrier), statuses(order.carrier)) == (("revoked", "revoked"), ["revoked"] * 4)
    for report in (Produced("1", puk_jwe(order.id, card(1).serial)), Sent(clock.today())):
        assert supplier_events.register_event(client_ref="bureau", order_id=order.id, event=report) is EventOutcome.NOTED
    assert not service.billable_facts(feeds.START, limit=1)


def test_a_produced_card_is_not_sent(world: Any) -> None:
    order = in_production(world)
    issue()
    report = Produced("1", puk_jwe(order.id, card(1).serial))
    supplier_events.register_event(client_ref="bureau", order_id=order.id, event=report)
    operator_revokes(order.carrier, CARD_PROFILES[0])
    assert CardOrder.objects.get().state == "failed"
    assert Secret.objects.get().state == SecretState.DESTROYED


def test_a_sent_card_keeps_its_order(world: Any) -> None:
    order = in_production(world)
    issue()
    for report in (Produced("1", puk_jwe(order.id, card(1).serial)), Sent(clock.today())):
        supplier_events.register_event(client_ref="bureau", order_id=order.id, event=report)
    open_puks()
    operator_revokes(order.carrier, *PERSON_ID_PROFILES)
    assert (CardOrder.objects.get().state, states(order.carrier)) == ("sent", ("revoked", "revoked"))
    assert len(service.billable_facts(feeds.START, limit=2)) == 1


def test_what_issuance_revoked_comes_back_without_effect(world: Any) -> None:
    carrier, actor = active(world), world.officer()
    revocation.revoke_carrier(actor=actor, carrier_id=carrier.id, reason=RevocationReason.LOST_OR_STOLEN)
    carrier.refresh_from_db()
    assert (carrier.revocation_reason, carrier.seq) == ("lost_or_stolen", 2)
    other = active(world)
    revocation.revoke_eid(actor=actor, eid_id=other.eids.get().id, reason=RevocationReason.ASSIGNMENT_ENDED)
    assert states(other) == ("active", "revoked")
    assert Revocation.objects.count() == 6
    assert not Event.objects.filter(actor_ref=RULE).exists()
    order = in_production(world)
    revocation.revoke_carrier(actor=actor, carrier_id=order.carrier_id, reason=RevocationReason.LOST_OR_STOLEN)
    assert CardOrder.objects.get().state == "in_production"
    assert certificate_revocation.sweep() == 0


def test_the_sweeper_finds_what_no_one_heard(world: Any) -> None:
    carrier, halved = active(world), active(world)
    certificate_revoked.disconnect(dispatch_uid=UID)
    try:
        operator_revokes(carrier, *PERSON_ID_PROFILES)
        operator_revokes(halved, *HSA_PROFILES)
    finally:
        certificate_revoked.connect(certificate_revocation.on_certificate_revoked, dispatch_uid=UID)
    assert (states(carrier), states(halved)) == (("active", "active"), ("active", "active"))
    assert deadlines.run() == deadlines.Housekeeping(0, 0, 0, 0, 2)
    assert (states(carrier), states(halved)) == (("revoked", "revoked"), ("active", "revoked"))
    assert deadlines.run() == deadlines.Housekeeping(0, 0, 0, 0, 0)


def test_a_certificate_of_nobody_here_costs_one_query(world: Any) -> None:
    ids = list(Certificate.objects.values_list("id", flat=True))
    with CaptureQueriesContext(connection) as queries:
        assert certificate_revocation.revoke_unusable([*ids, world.area.id]) == 0
    assert len(queries) == 1
