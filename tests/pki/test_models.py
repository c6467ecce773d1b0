"""The tables' own promises."""

import datetime as dt
import uuid

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from pki.models import (
    Certificate,
    CertificateAuthority,
    CertificateBlob,
    Crl,
    Event,
    ProfileVersion,
    draw_status_versions,
)
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


def certificate(authority, **values) -> Certificate:
    now = clock.now()
    moments = {"not_before": now, "not_after": now + dt.timedelta(days=1), "created_at": now}
    return Certificate.objects.create(ca=authority, **moments | {"serial": "0A"} | values)


def refused(change) -> None:
    """The database says no to the application's role, and the next statement works again."""
    with pytest.raises(ProgrammingError), transaction.atomic():
        change()


@pytest.mark.parametrize(
    "change",
    [
        {"status": "issued", "revoked_at": None},
        {"status": "failed", "revoked_at": None},
        {"revoked_at": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)},
    ],
)
def test_revoked_is_final(authority, change):
    revoked_at = clock.now()
    row = certificate(authority, status="revoked", revoked_at=revoked_at, reason="superseded")
    rows = Certificate.objects.filter(id=row.id)
    refused(lambda: rows.update(**change))
    for name, value in change.items():
        setattr(row, name, value)
    refused(lambda: Certificate.objects.bulk_update([row], list(change)))
    refused(row.save)
    earlier, later = (revoked_at + dt.timedelta(days=days) for days in (-1, 1))
    refused(lambda: rows.update(invalidity_date=later))  # F5.1: back from the revocation's own time, and no other way
    assert rows.update(reason="keyCompromise", invalidity_date=earlier, status="revoked", presigned_version=1) == 1
    refused(lambda: rows.update(invalidity_date=revoked_at))
    refused(lambda: rows.update(reason="superseded"))
    found = rows.get()
    assert (found.status, found.reason, found.invalidity_date) == ("revoked", "keyCompromise", earlier)


@pytest.mark.parametrize(
    "change",
    [
        {"serial": "0B"},
        {"tbs_der": b"other"},
        {"tbs_der": None},
        {"tbs_sha256": "cd"},
        {"tbs_sha256": ""},
        {"spki_sha256": "cd"},
        {"id": uuid.UUID(int=1)},
    ],
)
def test_what_was_planned_stays(authority, change):
    row = certificate(authority, tbs_der=b"planned", tbs_sha256="ab", spki_sha256="ab")
    refused(lambda: Certificate.objects.filter(id=row.id).update(**change))
    row.status, row.issued_at = "issued", clock.now()
    row.save()
    found = Certificate.objects.get(id=row.id)
    assert (found.serial, bytes(found.tbs_der), found.tbs_sha256, found.spki_sha256) == ("0A", b"planned", "ab", "ab")


def test_a_serial_only_row_keeps_its_ca_and_serial(authority):
    row = certificate(authority, status="issued")
    other = CertificateAuthority.objects.create(
        slug="y", common_name="DEMO SITHS e-id Y CA v1", definition_sha256="0" * 64, file_stem="demosithseidyca1",
        crl_period=dt.timedelta(hours=1), crl_validity=dt.timedelta(days=1), created_at=clock.now(),
    )  # fmt: skip
    for change in ({"ca": other}, {"serial": "0B"}):
        refused(lambda change=change: Certificate.objects.filter(id=row.id).update(**change))
    Certificate.objects.filter(id=row.id).update(status="revoked", revoked_at=clock.now(), reason="superseded")


def test_certificates_and_what_was_published_are_never_removed(authority):
    now = clock.now()
    row = certificate(authority)
    CertificateBlob.objects.create(certificate=row, der=b"der")
    ProfileVersion.objects.create(name="p", version=1, sha256="0" * 64, definition={}, created_at=now)
    Crl.objects.create(
        ca=authority, number=1, this_update=now, next_update=now, entries=0, size=1, sha256="0" * 64, file_name="a.crl"
    )
    for model, change in ((CertificateBlob, {"der": b"x"}), (ProfileVersion, {"definition": {"x": 1}}), (Crl, {"entries": 1})):
        refused(lambda model=model, change=change: model.objects.update(**change))
        refused(lambda model=model: model.objects.all()._raw_delete("default"))
        assert model.objects.count() == 1
    refused(lambda: Certificate.objects.all()._raw_delete("default"))
    with connection.cursor() as cursor:
        refused(lambda: cursor.execute("TRUNCATE pki_certificate CASCADE"))
    assert Certificate.objects.get() == row


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
