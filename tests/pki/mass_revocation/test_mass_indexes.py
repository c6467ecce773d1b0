"""How a mass revocation's certificates are found among many: by an index wherever criteria name a small part (F5.6)."""

import datetime as dt
import json

import pytest
from django.db import connection

from pki.mass_revocation import MassSelection
from pki.mass_revocation import selection as mass_selection
from siths_portal.lib import clock
from tests.pki.mass_revocation.test_mass_revocation import FIRST, profile, rows_like
from tests.pki_fixtures import tampering

MANY = 60_000
DAY = dt.timedelta(days=1)
_ROWS = """
INSERT INTO pki_certificate (
    id, ca_id, serial, status, profile_version_id, tbs_der, tbs_sha256, spki_sha256, subject_ref, carrier_ref, unit_ref,
    client_ref, not_before, not_after, created_at, issued_at, reason, status_version, presigned_version, signing_attempts, failure
)
SELECT (lpad(to_hex(g), 12, '0') || '70008' || substr(md5(g::text), 1, 15))::uuid, %(ca)s, upper(md5('s' || g)), 'issued',
    (%(profiles)s::bigint[])[1 + g %% 4], decode(repeat(md5(g::text), 20), 'hex'), '', md5('a' || g) || md5('b' || g), '', '',
    'organisation:' || g %% 300, 'supplier-' || g %% 3, now(), now() + interval '2 years', moment, moment, '', 0, 0, 1, ''
FROM generate_series(1, %(many)s) AS g, LATERAL (SELECT now() - (%(many)s - g) * interval '20 minutes' AS moment) AS at
"""


@pytest.fixture
def many(world):
    """Certificates of 300 units, three suppliers and four profiles, planned one after the other; and a few others."""
    profiles = [profile(f"person-{number}").id for number in range(4)]
    with tampering() as cursor:
        cursor.execute(_ROWS, {"ca": world.first.id, "profiles": profiles, "many": MANY})
    rare = profile("seal")
    rows_like(world, 6, profile_version=rare, client_ref="service-1", tbs_der=b"x" * 600)
    rows_like(world, 4, unit_ref="organisation:7", created_at=clock.now() - 40 * DAY, issued_at=None)  # known by serial alone
    with tampering() as cursor:
        cursor.execute("ANALYZE pki_certificate")
        cursor.execute("SELECT brin_summarize_new_values('pki_cert_created')")
    return world


def plan_of(selection):
    """The names of the indexes and the kinds of scans of certificates by which the database finds a selection."""
    rows = mass_selection.found(mass_selection.normal(selection), clock.now())
    sql, parameters = rows.order_by().values("id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
        (found,) = cursor.fetchone()
    return set(_nodes(found if isinstance(found, list) else json.loads(found)))


def _nodes(value):
    if isinstance(value, list):
        for each in value:
            yield from _nodes(each)
    elif isinstance(value, dict):
        if value.get("Relation Name") == "pki_certificate":
            yield value["Node Type"]
        if "Index Name" in value:
            yield value["Index Name"]
        for each in value.values():
            yield from _nodes(each)


def at(days):
    return clock.now() - days * DAY


@pytest.mark.timeout(120)
def test_what_names_a_small_part_is_found_by_an_index(many):
    """What names a large part is read from the table, where an index would only be a detour. Nobody writes among the rows."""
    for selection in (MassSelection(cas=(FIRST,)), MassSelection(client_ref="supplier-1")):
        assert plan_of(selection) & {"Seq Scan", "Bitmap Heap Scan"}
    cases = [
        (MassSelection(unit_ref="organisation:7"), "pki_cert_origin", 200 + 4),
        (MassSelection(unit_ref="organisation:7", client_ref="supplier-1"), "pki_cert_origin", 200),
        (MassSelection(unit_ref="organisation:7", profiles=("person-3",)), "pki_cert_origin", 200),
        (MassSelection(unit_ref="organisation:7", client_ref="supplier-2"), "pki_cert_origin", 0),
        (MassSelection(client_ref="service-1"), "pki_cert_origin", 6),
        (MassSelection(profiles=("seal",)), "pki_cert_origin", 6),
        (MassSelection(issued_from=at(41), issued_until=at(39)), "pki_cert_issued", 2 * 72 + 4),
        (MassSelection(issued_from=at(41), issued_until=at(39)), "pki_cert_created", 2 * 72 + 4),
    ]
    for selection, index, count in cases:
        found = plan_of(selection)
        assert index in found, (selection, found)
        assert "Seq Scan" not in found, (selection, found)
        assert mass_selection.dry_run(selection).total == count, selection


def test_every_client_is_known_with_and_without_a_profile(world):
    assert mass_selection._clients() == [""]  # the CAs' own
    auth = profile()
    for number, version in enumerate([auth, auth, profile("person-hsaid-sign"), None, None]):
        rows_like(world, 2, client_ref=f"client:{number}", profile_version=version)
    rows_like(world, 1, profile_version=auth)
    rows_like(world, 1)
    assert sorted(mass_selection._clients()) == ["", *(f"client:{number}" for number in range(5))]
