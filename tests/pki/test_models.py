"""The tables' own promises."""

import datetime as dt

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from pki.models import Certificate, CertificateAuthority, Event, draw_status_versions
from siths_portal.lib import clock

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def authority() -> CertificateAuthority:
    return CertificateAuthority.objects.create(
        slug="x", common_name="DEMO SITHS e-id X CA v1", definition_sha256="0" * 64, file_stem="demosithseidxcav1",
        crl_period=dt.timedelta(hours=1), crl_validity=dt.timedelta(days=1), created_at=clock.now(),
    )  # fmt: skip


def test_an_event_cannot_be_changed_or_removed():
    event = Event.record(actor_ref="system:test", action="thing.done", subject_type="thing", subject_ref="1")
    with pytest.raises(ProgrammingError):
        Event.objects.filter(pk=event.pk).update(action="other")
    with pytest.raises(ProgrammingError):
        event.delete()
    for table in ("pki_revocation", "pki_eventseal"):
        with pytest.raises(ProgrammingError), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table}")


def test_a_serial_is_unique_within_its_ca(authority):
    moments = {"not_before": clock.now(), "not_after": clock.now(), "created_at": clock.now()}
    Certificate.objects.create(ca=authority, serial="0A", **moments)
    with pytest.raises(IntegrityError), transaction.atomic():
        Certificate.objects.create(ca=authority, serial="0A", **moments)


def test_revoked_needs_time_and_reason(authority):
    moments = {"not_before": clock.now(), "not_after": clock.now(), "created_at": clock.now()}
    with pytest.raises(IntegrityError), transaction.atomic():
        Certificate.objects.create(ca=authority, serial="0A", status="revoked", **moments)
    with pytest.raises(IntegrityError), transaction.atomic():
        Certificate.objects.create(ca=authority, serial="0A", status="issued", revoked_at=clock.now(), **moments)


def test_status_versions_are_consecutive(authority):
    assert draw_status_versions(authority.id) == 1
    assert draw_status_versions(authority.id, 3) == 2
    assert draw_status_versions(authority.id) == 5
