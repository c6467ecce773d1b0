"""Searching: by each handle, in pages that miss and double nothing, never wide, by an index each."""

import datetime as dt
import hashlib

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from pki.models import Certificate
from siths_portal.lib import clock
from tests.pki.clients.service import code, issued, names
from tests.pki.orders import order as certificate_order
from tests.pki.orders import plan
from tests.pki_fixtures import tampering

pytestmark = pytest.mark.django_db(transaction=True)
DAY = dt.timedelta(days=1)


def serials(answer) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [each["serial"] for each in answer.json()["certificates"]]


def span(**changes) -> dict[str, str]:
    now = clock.now()
    values = {"issued_from": now - DAY, "issued_before": now + DAY} | changes
    return {name: value.isoformat() for name, value in values.items()}


@pytest.fixture
def five(api) -> list[Certificate]:
    """Five certificates of five subjects, the first revoked, the last not signed yet."""
    orders = [certificate_order("function", subject_ref=f"s{n}", carrier_ref=f"c{n}") for n in range(4)]
    ids = plan(*orders)
    api.pki.settle()
    ids += plan(certificate_order("function", subject_ref="s4", carrier_ref="c4"))
    rows = Certificate.objects.select_related("ca").in_bulk(ids)
    return [rows[id_] for id_ in ids]


def test_by_each_handle(five, a) -> None:
    a.revoke(five[0])
    row = five[2]
    assert serials(a.search(subject_ref="s2")) == [row.serial]
    assert serials(a.search(carrier_ref="c2")) == [row.serial]
    assert serials(a.search(public_key_sha256=row.spki_sha256)) == [row.serial]
    assert serials(a.search(serial_prefix=row.serial[:20].lower())) == [row.serial]
    assert serials(a.search(serial_prefix=row.serial)) == [row.serial]
    signed = sorted(five[:4], key=lambda each: (each.issued_at, each.pk), reverse=True)
    assert serials(a.search(**span())) == [each.serial for each in signed]
    assert serials(a.search(**span(issued_before=clock.now() - DAY / 2))) == []
    moment, tick = row.issued_at, dt.timedelta(microseconds=1)
    at_once = [each.serial for each in signed if each.issued_at == moment]
    assert serials(a.search(**span(issued_from=moment, issued_before=moment + tick))) == at_once
    assert row.serial not in serials(a.search(**span(issued_before=moment)))


def test_what_narrows_narrows(five, a) -> None:
    a.revoke(five[0])
    assert serials(a.search(**span(), status="revoked")) == [five[0].serial]
    assert len(serials(a.search(**span(), status="issued"))) == 3
    assert serials(a.search(subject_ref="s4", status="pending")) == [five[4].serial]
    assert serials(a.search(subject_ref="s4", status="issued")) == []
    assert serials(a.search(subject_ref="s1", issuer="function", profile="function")) == [five[1].serial]
    assert serials(a.search(subject_ref="s1", issuer="person-id-3")) == []
    assert serials(a.search(subject_ref="s1", profile="nothing")) == []
    assert serials(a.search(subject_ref="s1", carrier_ref="c2")) == []


@pytest.mark.parametrize("by_time", [True, False])
def test_pages_hold_everything_once_whatever_is_made_meanwhile(api, a, by_time: bool) -> None:
    rows = plan(*(certificate_order("function", subject_ref="s") for _ in range(7)))
    api.pki.settle()
    if by_time:
        moment = Certificate.objects.get(pk=rows[0]).issued_at
        Certificate.objects.filter(pk__in=rows[:4]).update(issued_at=moment)  # four at the very same time
    wanted = span() if by_time else {"subject_ref": "s"}
    seen, cursor = [], None
    while True:
        answer = a.search(**wanted, limit=2, **({"cursor": cursor} if cursor else {}))
        seen += serials(answer)
        cursor = answer.json()["next_cursor"]
        if cursor is None:
            break
        issued(api.pki, "s")
    assert sorted(seen) == sorted(Certificate.objects.filter(pk__in=rows).values_list("serial", flat=True))


TOO_WIDE_OR_WRONG = [
    ({}, "body"),
    ({"status": "issued"}, "body"),
    ({"issuer": "function", "profile": "function", "status": "revoked"}, "body"),
    ({"serial_prefix": "01"}, "serial_prefix"),
    ({"serial_prefix": "0G000000"}, "serial_prefix"),
    ({"issued_from": "2026-01-01T00:00:00Z"}, "issued_before"),
    ({"issued_from": "2026-01-01T00:00:00Z", "issued_before": "2026-02-02T00:00:00Z"}, "issued_before"),
    ({"issued_from": "2026-01-02T00:00:00Z", "issued_before": "2026-01-02T00:00:00Z"}, "issued_before"),
    ({"issued_from": "2026-01-02T00:00:00Z", "issued_before": "2026-01-01T00:00:00Z"}, "issued_before"),
    ({"subject_ref": "s", "limit": 201}, "limit"),
    ({"subject_ref": "s", "limit": 0}, "limit"),
    ({"subject_ref": "s", "limit": "5"}, "limit"),
    ({"subject_ref": "s", "limit": True}, "limit"),
    ({"subject_ref": ""}, "subject_ref"),
    ({"subject_ref": "s", "status": "reserved"}, "status"),
    ({"subject_ref": "s", "name": "Ek"}, "name"),
    ({"public_key_sha256": "AB" * 32}, "public_key_sha256"),
]


def test_what_is_too_wide_or_wrong_is_422_and_names_the_field(api, a, subtests: pytest.Subtests) -> None:
    """One client makes all searches, since a search changes nothing."""
    for number, (search, field) in enumerate(TOO_WIDE_OR_WRONG):
        with subtests.test(number=number):
            answer = a.search(**search)
            assert (answer.status_code, names(answer)) == (422, [field])


def test_a_cursor_of_another_search_or_of_ones_own_making_is_400(api, a) -> None:
    from siths_portal.lib.rest.json_views import cursor_text

    some = "0192b0f4-8f4e-7d7e-9c3a-5d1f4f6b7a10"
    forged = [cursor_text(each) for each in (["x", ""], [some, 1], [], [1, 2, 3], [some, "x"])]
    for cursor in ("x", "AAAA", *forged):
        answer = a.search(subject_ref="s", cursor=cursor)
        assert (answer.status_code, code(answer)) == (400, "cursor-invalid")
    plan(*(certificate_order("function", subject_ref="s") for _ in range(3)))
    cursor = a.search(subject_ref="s", limit=1).json()["next_cursor"]
    assert code(a.search(**span(), cursor=cursor)) == "cursor-invalid"
    for moment in ("2026-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "x"):
        answer = a.search(**span(), cursor=cursor_text([some, moment]))
        assert answer.status_code in (200, 400)


MANY = """
INSERT INTO pki_certificate SELECT made.* FROM pki_certificate c, generate_series(1, 20000) n, LATERAL jsonb_populate_record(
    c, jsonb_build_object(
        'id', gen_random_uuid(), 'serial', upper(encode(sha256(n::text::bytea), 'hex'))::varchar(30), 'subject_ref', 's' || n,
        'carrier_ref', 'c' || n, 'spki_sha256', encode(sha256(n::text::bytea), 'hex'),
        'issued_at', c.issued_at - n * interval '1 hour'
    )
) made WHERE c.id = %s;
ANALYZE pki_certificate;
"""
INDEXES = {
    "pki_cert_subject": {"subject_ref": "s77"},
    "pki_cert_carrier": {"carrier_ref": "c77"},
    "pki_cert_spki": {"public_key_sha256": hashlib.sha256(b"77").hexdigest()},
    "pki_certificate_serial": {"serial_prefix": hashlib.sha256(b"77").hexdigest()[:8]},
    "pki_cert_issued": span(issued_from=clock.now() - 31 * DAY, issued_before=clock.now() - DAY),
}


def test_each_search_goes_by_an_index_of_its_own_and_in_few_queries(api, a) -> None:
    row = issued(api.pki)
    with tampering() as cursor:
        cursor.execute(MANY, [row.pk])
    for index, search in INDEXES.items():
        with CaptureQueriesContext(connection) as queries:
            hits = serials(a.search(**search, limit=50))
        assert len(hits) == (50 if index == "pki_cert_issued" else 1)
        (sql,) = [query["sql"] for query in queries.captured_queries if query["sql"].endswith("LIMIT 51")]
        with connection.cursor() as cursor:
            cursor.execute(f"EXPLAIN {sql}")
            steps = "\n".join(line for (line,) in cursor.fetchall())
        assert index in steps, steps
        assert len(queries) <= 6  # client, its certificate's status, permissions, CAs, profiles, hits
