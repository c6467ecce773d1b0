"""Rows by COPY: every value comes back as the mapper would have stored it, and the database refuses what it refuses."""

import datetime as dt
import uuid
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from pki.models import Certificate, CertificateAuthority, CertificateBlob, Event
from siths_portal.lib import clock
from siths_portal.lib.database import bulk

pytestmark = pytest.mark.django_db
HOSTILE = ["", "\\N", "\\", "a\tb\nc\rd", "\\x00", "\\.", "Åsa 'Östberg' \"x\" \u2028 \x0b\x0c\x7f", "\\t", "🏥"]


@pytest.mark.parametrize("text", HOSTILE, ids=[f"text {number}" for number in range(len(HOSTILE))])
def test_texts_and_json_come_back_as_they_were(text):
    at = dt.datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=dt.timezone(dt.timedelta(hours=2)))
    facts = {"text": text, text: [1, None, True, {"å": 1.5}], "number": 10**30}
    rows = [
        Event(at=at, actor_ref=text, action="a", subject_type="t", subject_ref="r", subject_seq=7, facts=facts),
        Event(at=at, actor_ref="second", action="a", subject_type="t", subject_ref="r", facts={}),
    ]
    assert bulk.insert(rows) == 2
    first, second = Event.objects.filter(subject_type="t").order_by("id")
    assert (first.at, first.actor_ref, first.subject_seq, first.facts) == (at, text, 7, facts)
    assert (second.actor_ref, second.subject_seq, second.facts) == ("second", None, {})
    assert first.xid == second.xid > 0


def authority() -> CertificateAuthority:
    hour = dt.timedelta(hours=1)
    named = {"slug": "a", "common_name": "A", "definition_sha256": "d", "file_stem": "a", "token_label": "t"}
    return CertificateAuthority.objects.create(**named, crl_period=hour, crl_validity=hour, created_at=clock.now())


def certificate(ca: CertificateAuthority, **values) -> Certificate:
    now = clock.now()
    known = {"serial": "0A" * 16, "not_before": now, "not_after": now + dt.timedelta(days=1), "created_at": now}
    return Certificate(**{"ca": ca, **known, **values})


@pytest.mark.parametrize("octets", [b"", bytes(range(256)), b"\\N\n\t"], ids=["none", "all", "marks"])
def test_octets_keys_and_nulls_come_back_as_they_were(octets):
    row = certificate(authority(), tbs_der=octets)
    bulk.insert([row])
    stored = Certificate.objects.get()
    assert (stored.id, bytes(stored.tbs_der), stored.issued_at, stored.reason) == (row.id, octets, None, "")
    assert stored.not_after == row.not_after
    bulk.insert([CertificateBlob(certificate_id=row.id, der=memoryview(octets))])
    assert bytes(CertificateBlob.objects.get().der) == octets


def test_fields_that_rows_do_not_give_are_those_of_the_one_they_are_like():
    like = certificate(authority(), unit_ref="a\tb", issued_at=clock.now(), serial="0B" * 16)
    rows = [(uuid.uuid4(), "0C" * 16), (uuid.uuid4(), "0D" * 16)]
    assert bulk.insert_values(Certificate, ("id", "serial"), rows, like=like) == 2
    for row, (id_, serial) in zip(Certificate.objects.order_by("serial"), rows, strict=True):
        assert (row.id, row.serial) == (id_, serial)
        others = [field.attname for field in Certificate._meta.concrete_fields if field.attname not in ("id", "serial")]
        assert [getattr(row, name) for name in others] == [getattr(like, name) for name in others]


def test_what_the_database_refuses_is_refused_and_nothing_is_kept():
    ca = authority()
    with pytest.raises(IntegrityError), transaction.atomic():
        bulk.insert([certificate(ca), certificate(ca)])
    assert not Certificate.objects.exists()
    bulk.insert([CertificateBlob(certificate_id=uuid.uuid4(), der=b"")])
    with pytest.raises(IntegrityError):
        connection.check_constraints()


def test_nothing_to_insert_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        assert bulk.insert([]) == 0


def test_a_type_that_no_column_has_is_refused():
    with pytest.raises(TypeError, match="Decimal in a column"):
        bulk.insert([Event(at=clock.now(), actor_ref=Decimal("1.00"), action="a", subject_type="t", subject_ref="r")])
