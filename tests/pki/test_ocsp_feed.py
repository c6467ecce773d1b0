"""What the publisher reads of the database: all that lacks an answer, in turns, and no more than that."""

import json

from django.db import connection
from django.test.utils import CaptureQueriesContext

from pki import ocsp_feed
from pki.models import Certificate
from pki.ocspd import layout
from tests.pki.test_mass_revocation import rows_like
from tests.pki_fixtures import tampering

MANY = 20_000
_ROWS = """
INSERT INTO pki_certificate (
    id, ca_id, serial, status, tbs_sha256, spki_sha256, subject_ref, carrier_ref, unit_ref, client_ref, not_before, not_after,
    created_at, issued_at, revoked_at, reason, status_version, presigned_version, signing_attempts, failure
)
SELECT ('00000000-0000-7000-8000-' || lpad(to_hex(g), 12, '0'))::uuid, %(ca)s, upper('5' || substr(md5(g::text), 2)),
    CASE WHEN g %% 4 = 0 THEN 'revoked' ELSE 'issued' END, '', '', '', '', '', '', now(), now() + interval '2 years',
    now(), now(),
    CASE WHEN g %% 4 = 0 THEN now() END, CASE WHEN g %% 4 = 0 THEN 'superseded' ELSE '' END, g, g, 1, ''
FROM generate_series(1, %(many)s) AS g
"""


def keys(rows):
    return {layout.key(row.ca_id, int(row.serial, 16)) for row in rows}


def test_all_that_lacks_an_answer_is_told_of_in_turns_and_the_newest_each_time(world, monkeypatch):
    monkeypatch.setattr(ocsp_feed, "ISSUED_AT_ONCE", 3)
    rows = [row for ca in (world.first, world.second, world.first) for row in rows_like(world, 3, ca)]
    rows_like(world, 2, presigned_version=0)
    rows_like(world, 2, status="reserved")
    lacking = keys(Certificate.objects.filter(status="issued").exclude(presigned_version=0))
    newest = keys(sorted(rows, key=lambda row: row.id)[-3:])
    told, after, turns = set(), None, 0
    while after is not None or not turns:
        records, after = ocsp_feed.pending(after)
        found = {record.key for record in records}
        assert newest <= found
        told |= found
        turns += 1
    assert told == lacking >= keys(rows)
    assert turns == len(lacking) // 3 + 1


def test_a_look_reads_no_certificate_that_has_its_answer(world):
    """However many there are: what one look costs hangs on what is new."""
    with tampering() as cursor:
        cursor.execute(_ROWS, {"ca": world.first.id, "many": MANY})
    waiting = rows_like(world, 5) + rows_like(world, 5, world.second)
    with tampering() as cursor:
        cursor.execute("ANALYZE pki_certificate")
    with CaptureQueriesContext(
        connection,
    ) as captured:
        records, after = ocsp_feed.pending(None)
    assert keys(waiting) <= {record.key for record in records}
    assert after is None
    assert sum(_read(query["sql"]) for query in captured.captured_queries) < 200


def _read(sql):
    """How many certificates the database looks at for a statement."""
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, FORMAT JSON) " + sql)
        (found,) = cursor.fetchone()
    return sum(_looked_at(found if isinstance(found, list) else json.loads(found)))


def _looked_at(value):
    if isinstance(value, list):
        for each in value:
            yield from _looked_at(each)
    elif isinstance(value, dict):
        if value.get("Relation Name") == "pki_certificate":
            yield (value["Actual Rows"] + value.get("Rows Removed by Filter", 0)) * value["Actual Loops"]
        for each in value.values():
            yield from _looked_at(each)
