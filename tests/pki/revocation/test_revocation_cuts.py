"""Revocation under power cuts: SIGKILL at its points leaves a certificate as it was, or revoked, and makes none good again."""

import signal

import pytest
from django.db import transaction

from pki import service
from pki.crl import building
from pki.models import Certificate, CertificateAuthority, Event, Revocation
from pki.ocsp import presigning
from siths_portal.lib import clock
from tests.pki.mass_revocation.test_mass_revocation import listed, told
from tests.pki.mass_revocation.test_mass_revocation_cuts import forked

BEFORE, AFTER = "pki.revoke.before-commit", "pki.revoke.after-commit"


@pytest.fixture
def four(world):
    """Certificates of two CAs, whose answers say good."""
    rows = [world.issue(ca) for ca in (world.first, world.second, world.first, world.second)]
    presigning.presign([row.id for row in rows])
    assert said(rows) == {"GOOD"}
    return rows


def revoke(rows, reason="superseded"):
    ids = [row.id for row in rows]
    with transaction.atomic(durable=True):
        service.plan_revocation(ids, reason=reason, actor_ref="user:1", received_at=clock.now(), channel="portal")


def said(rows):
    """What OCSP says of them: GOOD, REVOKED, or None while nothing is said."""
    return {(answer := told(row)) and answer[0] for row in rows}


def state():
    """All that a revocation writes."""
    return [
        list(model.objects.order_by("pk").values(*fields))
        for model, fields in (
            (Certificate, ("id", "status", "revoked_at", "reason", "invalidity_date", "status_version")),
            (Revocation, ("id", "certificate_id", "reason")),
            (Event, ("id", "action", "subject_ref")),
            (CertificateAuthority, ("id", "status_version")),
        )
    ]


def is_published(world, rows):
    """Relying parties are told so by both means, with one time and reason each."""
    for ca in (world.first, world.second):
        found = listed(ca)
        assert len(found) == 2
        for row in (row for row in rows if row.ca_id == ca.id):
            assert told(row) == ("REVOKED", *found[int(row.serial, 16)])


def test_a_cut_before_the_commit_leaves_all_as_it_was(world, armed, four, tally):
    before = state()
    (armed / BEFORE).touch()
    assert forked(lambda: revoke(four), armed) == -signal.SIGKILL
    assert state() == before
    assert said(four) == {"GOOD"}
    revoke(four)
    assert said(four) == {None}
    presigning.presign_due()
    building.publish_online()
    is_published(world, four)
    told_of = Event.objects.filter(action="certificate.revoked").values_list("subject_ref", flat=True)
    tally.run([str(row.id) for row in four], told_of, "revocations")


def test_a_cut_after_the_commit_leaves_all_revoked_and_the_sweepers_publish_it(world, armed, four, tally):
    (armed / AFTER).touch()
    moment = clock.now()
    assert forked(lambda: revoke(four), armed) == -signal.SIGKILL
    assert set(Certificate.objects.filter(id__in=[row.id for row in four]).values_list("status", flat=True)) == {"revoked"}
    assert Revocation.objects.count() == Event.objects.filter(action="certificate.revoked").count() == 4
    assert said(four) == {None}  # the stored answers said good
    assert set(service.revoked_since(moment)) == {row.id for row in four}  # by which those find it who were not told
    presigning.presign_due()
    building.publish_online()
    is_published(world, four)
    before = state()
    revoke(four)
    assert state() == before
    told_of = Event.objects.filter(action="certificate.revoked").values_list("subject_ref", flat=True)
    tally.run([str(row.id) for row in four], told_of, "revocations")


@pytest.mark.parametrize("point", [BEFORE, AFTER])
def test_a_cut_while_a_revocation_is_sharpened_leaves_it_revoked(world, armed, four, point):
    revoke(four)
    presigning.presign_due()
    (armed / point).touch()
    assert forked(lambda: revoke(four, "keyCompromise"), armed) == -signal.SIGKILL
    assert said(four) == ({"REVOKED"} if point == BEFORE else {None})
    revoke(four, "keyCompromise")
    presigning.presign_due()
    building.publish_online()
    is_published(world, four)
    assert {told(row)[2].name for row in four} == {"key_compromise"}
