"""Rules of time: 90 calendar days and 5, each to the end of its day in Stockholm, and expiries."""

import datetime as dt
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from issuance.authz import system
from issuance.carriers.domain.carrier_states import CarrierAction
from issuance.carriers.models import Carrier, Eid
from issuance.housekeeping.services import deadlines
from issuance.imports.services import migration
from issuance.records.models.events import Event
from issuance.records.services import steps
from issuance.suppliers.domain import Produced, Sent
from issuance.suppliers.services import card_certificates, supplier_events, supplier_intake
from pki.models import Certificate, Secret, SecretState
from siths_portal.lib import clock
from tests.issuance.authorities import card, issue, open_puks, puk_jwe
from tests.issuance.migrated import CA, migrated_card

pytestmark = pytest.mark.usefixtures("authorities")
NOTHING = deadlines.Housekeeping(0, 0, 0, 0)
SENT = dt.datetime(2026, 1, 10, 12, tzinfo=dt.UTC)
LAST = dt.datetime(2026, 4, 10, 22, tzinfo=dt.UTC)  # the end of the 90th day, in summer time
SECOND = dt.timedelta(seconds=1)


def sent_card(world: Any, number: int = 1) -> Carrier:
    """A card that was sent at SENT, with a PUK."""
    with clock.moved_to(SENT):
        order = world.order()
        made = card(number)
        supplier_intake.accept(client_ref="bureau", order_id=order.id)
        card_certificates.request_certificates(
            client_ref="bureau", order_id=order.id, card_serial=made.serial, card_key_spki=made.key, csrs=made.csrs
        )
        issue()
        for event in (Produced("1", puk_jwe(order.id, made.serial)), Sent(SENT.date())):
            supplier_events.register_event(client_ref="bureau", order_id=order.id, event=event)
        open_puks()
        return Carrier.objects.get(pk=order.carrier_id)


def run_at(moment: dt.datetime, **arguments: Any) -> deadlines.Housekeeping:
    with clock.moved_to(moment):
        return deadlines.run(**arguments)


def test_ninety_days_to_the_end_of_the_day(world: Any) -> None:
    carrier = sent_card(world)
    assert run_at(LAST - SECOND) == NOTHING
    assert run_at(LAST) == deadlines.Housekeeping(1, 0, 0, 0)
    carrier.refresh_from_db()
    assert (carrier.state, carrier.revocation_reason, carrier.eids.get().state) == ("revoked", "not_activated", "revoked")
    assert {row.reason for row in Certificate.objects.all()} == {"cessationOfOperation"}
    assert Secret.objects.get().state == SecretState.DESTROYED
    assert Event.objects.get(action="carrier.revoked").actor_ref == "system:not-activated-in-time"
    assert run_at(LAST) == NOTHING


def test_five_days_for_the_signature(world: Any) -> None:
    carrier = sent_card(world)
    code_set = SENT + dt.timedelta(days=1)
    with clock.moved_to(code_set), transaction.atomic():
        steps.step([carrier], CarrierAction.SET_CODE, actor_ref="system:setup", code_set_at=code_set)
    last = dt.datetime(2026, 1, 16, 23, tzinfo=dt.UTC)
    assert run_at(last - SECOND) == NOTHING
    assert run_at(last) == deadlines.Housekeeping(0, 1, 0, 0)
    carrier.refresh_from_db()
    assert (carrier.state, carrier.revocation_reason) == ("revoked", "not_signed")


def test_the_number_of_days_is_a_setting(world: Any, settings: Any) -> None:
    sent_card(world)
    settings.NOT_ACTIVATED_DAYS = 60
    last = dt.datetime(2026, 3, 11, 23, tzinfo=dt.UTC)  # the end of the 60th day, in winter time
    assert run_at(last - SECOND) == NOTHING
    assert run_at(last) == deadlines.Housekeeping(1, 0, 0, 0)


def test_carriers_expire_with_their_eids_and_eids_alone(world: Any) -> None:
    cards = [migrated_card(world.post()) for _ in range(2)]
    migration.register_migrated_cards(actor=system("migration"), cards=cards, ca=CA)
    Eid.objects.filter(carrier__card_serial=cards[0].card_serial).update(valid_to=cards[0].valid_to)
    assert run_at(cards[1].eid_valid_to - SECOND) == NOTHING
    assert run_at(cards[1].eid_valid_to) == deadlines.Housekeeping(0, 0, 0, 1)
    first, second = (Carrier.objects.get(card_serial=made.card_serial) for made in cards)
    assert (first.state, first.eids.get().state) == ("active", "active")
    assert (second.state, second.eids.get().state) == ("active", "expired")
    assert run_at(max(made.valid_to for made in cards)) == deadlines.Housekeeping(0, 0, 2, 0)
    assert set(Eid.objects.values_list("state", flat=True)) == {"expired"}
    for row in (*Carrier.objects.all(), *Eid.objects.all()):
        kind = "carrier" if isinstance(row, Carrier) else "eid"
        assert Event.objects.filter(subject_type=kind, subject_ref=str(row.pk)).count() == row.seq


def test_batches_and_a_dry_run_take_the_same(world: Any) -> None:
    cards = [migrated_card(world.post()) for _ in range(5)]
    migration.register_migrated_cards(actor=system("migration"), cards=cards, ca=CA)
    end = max(made.valid_to for made in cards)
    assert run_at(end, dry_run=True) == deadlines.Housekeeping(0, 0, 5, 5)
    assert Carrier.objects.filter(state="active").count() == 5
    assert run_at(end, batch=2) == deadlines.Housekeeping(0, 0, 5, 0)


def test_a_batch_takes_as_many_queries_as_one(world: Any) -> None:
    counts = []
    for size in (1, 6):
        cards = [migrated_card(world.post()) for _ in range(size)]
        migration.register_migrated_cards(actor=system("migration"), cards=cards, ca=CA)
        with CaptureQueriesContext(connection) as queries:
            run_at(max(made.valid_to for made in cards))
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_the_command_says_what_it_does(world: Any) -> None:
    sent_card(world)
    with clock.moved_to(LAST):
        for arguments, head in (({"dry_run": True}, "skulle ta: 1"), ({}, "tog: 1"), ({}, "tog: 0")):
            out = StringIO()
            call_command("issuance_housekeeping", stdout=out, **arguments)
            assert out.getvalue().startswith(head)
