"""F10 7: a CRL of many entries in bounded memory, in a process of its own, that other programs read.

60,000 in the short form, a million in `make soak`; another number by SITHS_CRL_ENTRIES.
"""

import json
import os
import resource
import subprocess
import sys

import pytest
from cryptography import x509
from django.conf import settings

from pki.crl import building
from pki.crl import files as crl_files
from pki.models import Certificate, Crl, CrlScope
from tests.pki.crl.crl_world import pem, run, serials_of, sharded
from tests.pki.crl.test_crl_leases import forked
from tests.pki_fixtures import tampering

LONG = bool(os.environ.get("SITHS_LONG"))
ENTRIES = int(os.environ.get("SITHS_CRL_ENTRIES", "1000000" if LONG else "60000"))
pytestmark = pytest.mark.timeout(3600 if LONG else 300)
GROWTH = 25  # MiB
ROWS = """
INSERT INTO pki_certificate (id, ca_id, serial, status, tbs_sha256, spki_sha256, subject_ref, carrier_ref, unit_ref, client_ref,
    not_before, not_after, created_at, revoked_at, reason, invalidity_date, status_version, presigned_version, signing_attempts,
    failure)
SELECT gen_random_uuid(), %s, upper(case n %% 2 when 0 then '5' else 'E' end || substr(md5(n::text), 2)), 'revoked',
    '', '', '', '', '', '', moment, moment + interval '100 years', moment, moment + n %% 3 * interval '30 years',
    (array['keyCompromise', 'superseded', 'unspecified'])[1 + n %% 3], CASE n %% 7 WHEN 0 THEN moment END, n, -1, 0, ''
FROM (SELECT n, date_trunc('second', now()) - interval '4 years' * random() AS moment FROM generate_series(1, %s) n) made
"""


@pytest.fixture
def filled(world):
    """A CA with many revoked certificates: serials with and without a leading one bit, times on both sides of 2050."""
    with tampering() as cursor:
        cursor.execute(ROWS, [world.first.id, ENTRIES])
    return world


HALF = ENTRIES // 2
"""Enough for a list that is built and checked as a large one."""


@pytest.fixture
def half_filled(world):
    """The same with half as many."""
    with tampering() as cursor:
        cursor.execute(ROWS, [world.first.id, HALF])
    return world


def worker(slug) -> dict:
    environ = os.environ | {"PKI_STATUS_DIR": str(settings.PKI_STATUS_DIR)}
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.crl_worker", slug]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=1800 if LONG else 280)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.soak
def test_f10_7_a_large_list_is_made_in_bounded_memory_and_read_by_others(filled, tmp_path):
    ca = filled.first
    answer = worker(ca.slug)
    path = building.crl_path(ca)
    assert answer["entries"] == ENTRIES
    assert answer["size"] == path.stat().st_size > crl_files.SMALL
    assert answer["peak"] - answer["before"] < GROWTH
    (tmp_path / "ca.pem").write_bytes(pem(ca.certificate_der))
    done = run("openssl", "crl", "-inform", "DER", "-noout", "-in", path, "-CAfile", tmp_path / "ca.pem")
    assert "verify OK" in done.stdout + done.stderr
    found = x509.load_der_x509_crl(path.read_bytes())
    assert found.is_signature_valid(x509.load_der_x509_certificate(bytes(ca.certificate_der)).public_key())
    rows = Certificate.objects.filter(ca=ca, status="revoked")
    assert serials_of(found) == {int(serial, 16) for serial in rows.values_list("serial", flat=True)}
    for row in rows.order_by("serial")[:: ENTRIES // 200]:
        entry = found.get_revoked_certificate_by_serial_number(int(row.serial, 16))
        assert entry.revocation_date_utc == row.revoked_at.replace(microsecond=0)
        told = {type(extension.value): extension.value for extension in entry.extensions}
        assert (x509.CRLReason in told) == (row.reason != "unspecified")
        if row.invalidity_date is not None:
            assert told[x509.InvalidityDate].invalidity_date_utc == row.invalidity_date.replace(microsecond=0)
        assert (x509.InvalidityDate in told) == (row.invalidity_date is not None)


def test_a_disk_that_is_full_half_way_leaves_the_connection_usable(half_filled):
    """The rows that were still to come are not mistaken for an answer to what is asked next."""

    def work() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
        (outcome,) = building.publish_each([half_filled.first])
        assert outcome.error == "OSError"
        assert CrlScope.objects.get(ca=half_filled.first).failures == 1
        assert Certificate.objects.filter(ca=half_filled.first, status="revoked").count() == HALF

    assert forked(work) == 0
    assert building.publish_crl(half_filled.first.id).entries == HALF
    assert building.crl_path(half_filled.first).stat().st_size > crl_files.SMALL


def test_a_list_reads_the_index_alone(half_filled):
    """What the list takes is all in `pki_cert_listed`, in its order: no table and no sort. Shards of it are its parts: they are
    built afterwards, since asking for the plan changes no row.
    """
    from pki.crl import entries as crl_entries

    with tampering() as cursor:
        cursor.execute("ANALYZE pki_certificate")
        statement = crl_entries._ROWS.format(codes=crl_entries._CODES, shard="", kept="").strip()
        query = cursor.mogrify(statement, {"ca": half_filled.first.id}).decode().removeprefix("COPY (").split(") TO STDOUT")[0]
        cursor.execute(f"SET enable_seqscan = off; SET enable_sort = off; EXPLAIN {query}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Only Scan using pki_cert_listed" in plan
    assert "Sort" not in plan
    ca = sharded(half_filled.first, 16)
    building.publish_all(ca)
    sizes = dict(Crl.objects.filter(ca=ca).values_list("shard", "entries"))
    assert sizes.pop(None) == sum(sizes.values()) == HALF
    assert building.crl_path(ca).stat().st_size > crl_files.SMALL
    assert max(sizes.values()) < 2 * min(sizes.values())
    for shard in (0, 7, 15):
        found = serials_of(x509.load_der_x509_crl(building.crl_path(ca, shard).read_bytes()))
        assert len(found) == sizes[shard]
        assert {serial % 16 for serial in found} == {shard}
