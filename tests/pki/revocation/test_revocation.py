"""Revocation: final, repeatable, one event a change, in the caller's transaction."""

import datetime as dt
import threading
import uuid

import pytest
from django.db import connection, transaction

from pki.models import Certificate, CertificateAuthority, Event, Revocation
from pki.revocation.revoking import plan_revocation
from pki.signals import certificate_revoked
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid, NotFound


def revoke(*rows, reason="superseded", **options):
    values = {"actor_ref": "user:1", "received_at": clock.now(), "channel": "portal"} | options
    with transaction.atomic(durable=True):
        plan_revocation([row.id for row in rows], reason=reason, **values)


def test_revocation_is_recorded_once_with_its_circumstances(world):
    row = world.issue()
    received = clock.now() - dt.timedelta(minutes=7)
    revoke(row, reason="affiliationChanged", received_at=received, channel="phone", justification="Slutat")
    row.refresh_from_db()
    assert (row.status, row.reason, row.status_version) == ("revoked", "affiliationChanged", 1)
    (record,) = Revocation.objects.all()
    assert (record.received_at, record.effective_at, record.channel) == (received, row.revoked_at, "phone")
    assert (record.requester, record.justification) == ("user:1", "Slutat")
    (event,) = Event.objects.all()
    assert (event.action, event.actor_ref, event.subject_ref) == ("certificate.revoked", "user:1", str(row.id))
    assert event.facts["serial"] == row.serial


def test_revoking_again_changes_nothing(world):
    row = world.issue()
    revoke(row)
    row.refresh_from_db()
    before = row.revoked_at, row.reason, row.status_version
    revoke(row, reason="cessationOfOperation")
    revoke(row)
    row.refresh_from_db()
    assert (row.revoked_at, row.reason, row.status_version) == before
    assert Revocation.objects.count() == Event.objects.count() == 1


def test_only_key_compromise_and_earlier_invalidity_change_a_revocation(world):
    row = world.issue()
    revoke(row)
    row.refresh_from_db()
    revoked_at = row.revoked_at
    earlier = clock.now() - dt.timedelta(days=3)
    revoke(row, reason="keyCompromise", invalidity_date=earlier)
    revoke(row, reason="keyCompromise", invalidity_date=earlier + dt.timedelta(days=1))  # later: not taken
    revoke(row, reason="superseded")  # back from keyCompromise: not taken
    row.refresh_from_db()
    assert (row.reason, row.invalidity_date, row.revoked_at, row.status_version) == ("keyCompromise", earlier, revoked_at, 2)
    assert list(Event.objects.order_by("id").values_list("action", flat=True)) == [
        "certificate.revoked",
        "certificate.revocation_changed",
    ]
    revoke(row, invalidity_date=earlier - dt.timedelta(days=1))
    row.refresh_from_db()
    assert (row.invalidity_date, row.reason) == (earlier - dt.timedelta(days=1), "keyCompromise")


@pytest.mark.parametrize("reason", ["certificateHold", "removeFromCRL", "cACompromise", "", "KEYCOMPROMISE"])
def test_other_reasons_are_refused(world, reason):
    row = world.issue()
    with pytest.raises(Invalid) as error:
        revoke(row, reason=reason)
    assert "reason" in error.value.fields
    row.refresh_from_db()
    assert (row.status, Event.objects.count()) == ("issued", 0)


@pytest.mark.parametrize("field", ["received_at", "invalidity_date"])
def test_the_future_is_refused(world, field):
    with pytest.raises(Invalid) as error:
        revoke(world.issue(), **{field: clock.now() + dt.timedelta(minutes=1)})
    assert field in error.value.fields


def test_a_reserved_certificate_is_revoked_and_a_failed_one_left(world):
    reserved, failed = world.issue(status="reserved"), world.issue(status="failed")
    revoke(reserved, failed)
    reserved.refresh_from_db()
    failed.refresh_from_db()
    assert (reserved.status, failed.status) == ("revoked", "failed")


def test_an_unknown_id_refuses_the_whole_call(world):
    row = world.issue()
    with pytest.raises(NotFound), transaction.atomic(durable=True):
        plan_revocation(
            [row.id, uuid.uuid4()], reason="superseded", actor_ref="user:1", received_at=clock.now(), channel="portal"
        )
    row.refresh_from_db()
    assert row.status == "issued"


def test_it_joins_the_callers_transaction(world):
    row, heard = world.issue(), []
    certificate_revoked.connect(lambda certificate_ids, **_: heard.extend(certificate_ids), weak=False, dispatch_uid="test")
    try:
        with transaction.atomic(durable=True):
            plan_revocation([row.id], reason="superseded", actor_ref="user:1", received_at=clock.now(), channel="portal")
            transaction.set_rollback(True)
        row.refresh_from_db()
        assert (row.status, Event.objects.count(), heard) == ("issued", 0, [])
        revoke(row)
        assert heard == [row.id]
    finally:
        certificate_revoked.disconnect(dispatch_uid="test")


def test_versions_rise_within_each_ca(world):
    rows = [world.issue(world.first), world.issue(world.second), world.issue(world.first)]
    revoke(*rows)
    versions = {ca.slug: ca.status_version for ca in CertificateAuthority.objects.all()}
    assert versions["person-hsaid-3"] == 2
    assert versions["function"] == 1
    stored = Certificate.objects.filter(id__in=[row.id for row in rows], ca=world.first)
    assert sorted(stored.values_list("status_version", flat=True)) == [1, 2]


def test_many_at_once_revoke_once(world):
    """Eight callers, overlapping sets over two CAs in different order: no deadlock, one event for each certificate."""
    rows = [world.issue(ca) for ca in (world.first, world.second) for _ in range(4)]
    barrier, failures = threading.Barrier(8), []

    def run(turn):
        try:
            barrier.wait(150)
            revoke(*(rows[turn:] + rows[:turn]))
        except Exception as error:  # noqa: BLE001
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(turn,)) for turn in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert failures == []
    assert Event.objects.count() == Revocation.objects.count() == 8
    assert Certificate.objects.filter(status="revoked").count() == 8
