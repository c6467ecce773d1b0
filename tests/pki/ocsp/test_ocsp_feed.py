"""What the publisher reads of the database: all that lacks an answer, in turns, and no more than that."""

from django.db import connection, transaction

from pki.models import Certificate, OcspResponse
from pki.ocsp import feed as ocsp_feed
from pki.ocsp import presigning
from pki.ocspd import layout
from tests.pki.mass_revocation.test_mass_revocation import rows_like
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
_ANSWERS = """
INSERT INTO pki_ocspresponse (ca_id, certificate_id, cert_id_hash, der, status_version, this_update, next_update, xid)
SELECT ca_id, id, hash, decode(repeat(md5(id::text), 20), 'hex'), status_version, now(), now() + interval '1 day', 1
FROM pki_certificate, unnest(ARRAY['sha1', 'sha256']) AS hash WHERE presigned_version = status_version
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


def test_a_look_reads_nothing_that_is_as_it_was(world):
    """However much there is, also in an index that is full of what once lacked an answer: by what the database has counted."""
    with tampering() as cursor:
        cursor.execute(_ROWS, {"ca": world.first.id, "many": MANY})
        for _ in range(2):
            cursor.execute("UPDATE pki_certificate SET presigned_version = presigned_version - 1")
            cursor.execute("UPDATE pki_certificate SET presigned_version = presigned_version + 1")
        cursor.execute(_ANSWERS)
        cursor.execute("ANALYZE pki_certificate, pki_ocspresponse")
    waiting = rows_like(world, 5) + rows_like(world, 5, world.second)
    answered = world.issue()
    since = ocsp_feed.Snapshot.current()
    presigning.presign([answered.id])
    written = OcspResponse.objects.filter(certificate=answered).values_list("xid", flat=True)[0]
    with transaction.atomic():
        before = _read()
        records, after = ocsp_feed.pending(None)
        new = list(ocsp_feed.answers(since))
        late = list(ocsp_feed.answers(ocsp_feed.Snapshot(written + 1, (written,))))
        assert _read() - before < 200
    assert keys(waiting) <= {record.key for record in records}
    assert after is None
    assert keys([answered]) == {record.key for record in new} == {record.key for record in late}


def _read():
    """How many rows of the two tables this connection has looked at, and not yet reported.

    Within a transaction nothing is reported; what was read before it may or may not have been.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(seq_tup_read + idx_tup_fetch) FROM pg_stat_xact_user_tables "
            "WHERE relname IN ('pki_certificate', 'pki_ocspresponse')"
        )
        return cursor.fetchone()[0]
