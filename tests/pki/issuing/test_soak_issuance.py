"""Kill -9 at random instants of issuance and revocation under load (rules/pki 3.1, 3.2, F10.4, F10.5, F10.10), and what is left.

The seed of a run is printed; SITHS_SOAK_SEED repeats one as far as the machine's timing allows.
"""

import collections
import datetime as dt
import hashlib
import multiprocessing
import os
import random
import secrets
import time

import pytest
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from django.db import connections

from pki.crl import building
from pki.issuing import claiming, signing
from pki.models import Certificate, CertificateAuthority, CertificateBlob, CrlScope, Event, Revocation
from pki.ocsp import presigning
from siths_portal.lib import clock
from tests.pki import orders
from tests.pki.issuing.soak_cast import (
    POINTS,
    UNIT,
    Company,
    Stage,
    adopt,
    issue_while_the_token_restarts,
    revoke_now,
    signatures_logged,
    told,
)
from tests.pki_fixtures import tampering
from tests.waiting import wait_for

pytestmark = pytest.mark.soak
LONG = bool(os.environ.get("SITHS_LONG"))
KILLS = 200 if LONG else 10
LONGEST_PAUSE = 1.0 if LONG else 0.4
"""The longest wait before a kill, in seconds. What is issued meanwhile is checked afterwards, which takes most of the test."""


@pytest.fixture
def stage(tmp_path) -> Stage:
    folder = tmp_path / "stage"
    folder.mkdir()
    return Stage(folder)


@pytest.fixture
def rng() -> random.Random:
    seed = int(os.environ.get("SITHS_SOAK_SEED") or secrets.randbits(32))
    print(f"SITHS_SOAK_SEED={seed}")
    return random.Random(seed)


def perform(stage: Stage, rng: random.Random, before_kill=lambda number: None) -> None:
    """Lets the cast play through all kills: by turns at any instant and at a named point."""
    company = Company(stage, rng)
    try:
        for number in range(KILLS):
            before_kill(number)
            time.sleep(rng.uniform(0.05, LONGEST_PAUSE))
            if number % 2:
                company.kill()
            else:
                company.kill_at(rng.choice(POINTS))
        wait_for(lambda: stage.log("seen").read() != [], "the watcher to be told of a revocation")
    finally:
        company.end()


def settle(stage: Stage) -> None:
    """What the sweepers do when the claims and the leases of the dead have run out, without the wait."""
    CrlScope.objects.exclude(lease=None).update(leased_until=clock.now())
    claim, claiming.CLAIM = claiming.CLAIM, dt.timedelta()
    try:
        with signatures_logged(stage):
            while signing.settle():
                pass
    finally:
        claiming.CLAIM = claim
    publish()


def publish() -> None:
    while presigning.presign_due():
        pass
    assert not [each.error for each in building.publish_online() if each.error]


def check(stage: Stage) -> collections.Counter[str]:
    """Holds what is stored against what the token signed and what was promised; the counts."""
    rows = {row.tbs_sha256: row for row in Certificate.objects.filter(unit_ref=UNIT).select_related("ca")}
    blobs = {blob.certificate_id: bytes(blob.der) for blob in CertificateBlob.objects.filter(certificate__unit_ref=UNIT)}
    signed = [bytes.fromhex(line[0]) for line in stage.log("signatures").read()]
    serials: dict[tuple[bytes, int], set[bytes]] = collections.defaultdict(set)
    for to_be_signed in set(signed):
        row = rows.get(hashlib.sha256(to_be_signed).hexdigest())
        assert row is not None, "the token signed what is in no row"
        assert row.status in ("issued", "revoked"), f"{row.id} was signed and is {row.status}"
        if row.status == "issued":
            assert row.id in blobs
            assert x509.load_der_x509_certificate(blobs[row.id]).tbs_certificate_bytes == to_be_signed
        parsed = asn1_x509.TbsCertificate.load(to_be_signed)
        serial = parsed["serial_number"].native
        assert serial == int(row.serial, 16)
        assert parsed["issuer"].dump() == bytes(row.ca.subject_der)
        serials[row.ca_id, serial].add(to_be_signed)
    assert all(len(each) == 1 for each in serials.values()), "one serial stands for two certificates"
    for each in rows.values():
        assert (each.id in blobs) or each.status == "revoked"
    check_records(stage, rows, blobs)
    check_status(stage, rows)
    states = collections.Counter(row.status for row in rows.values())
    return states + collections.Counter(signatures=len(signed), signed=len(set(signed)), stored=len(blobs))


def check_records(stage: Stage, rows: dict[str, Certificate], blobs: dict) -> None:
    """Every act has its one event, everything promised is there, and the counts add up."""
    ids = {str(row.id) for row in rows.values()}
    happened = collections.Counter(
        Event.objects.filter(subject_type="certificate", subject_ref__in=ids).values_list("subject_ref", "action")
    )
    assert max(happened.values()) == 1
    by_action: dict[str, set[str]] = collections.defaultdict(set)
    for subject, action in happened:
        by_action[action].add(subject)
    revoked = {str(row.id) for row in rows.values() if row.status == "revoked"}
    assert by_action["certificate.reserved"] == ids
    assert by_action["certificate.issued"] == {str(id_) for id_ in blobs}
    assert by_action["certificate.revoked"] == revoked
    assert Revocation.objects.filter(certificate__in=revoked).count() == len(revoked)
    assert {id_ for line in stage.log("planned").read() for id_ in line} <= ids
    assert {id_ for line in stage.log("revoked").read() for id_ in line} <= revoked
    assert len({(row.ca_id, row.serial) for row in rows.values()}) == len(rows)


def count(stage: Stage, tally) -> None:
    """Compares what the processes logged as planned and as revoked with the rows; each serial is there once."""
    planned = {id_ for line in stage.log("planned").read() for id_ in line}
    rows = list(Certificate.objects.filter(unit_ref=UNIT))
    tally.run(planned, [str(row.id) for row in rows if str(row.id) in planned], "planned certificates")
    serials = [(row.ca_id, row.serial) for row in rows]
    tally.run(set(serials), serials, "serials")
    if revoked := {id_ for line in stage.log("revoked").read() for id_ in line}:
        found = [str(row.id) for row in rows if row.status == "revoked" and str(row.id) in revoked]
        tally.run(revoked, found, "revoked certificates")


def check_status(stage: Stage, rows: dict[str, Certificate]) -> None:
    """Nobody was ever told otherwise, and now OCSP and CRL say of each certificate what the table says."""
    assert stage.log("faults").read() == []
    lists = {
        ca.id: x509.load_der_x509_crl(building.crl_path(ca).read_bytes())
        for ca in CertificateAuthority.objects.filter(id__in={row.ca_id for row in rows.values()})
    }
    for row in rows.values():
        listed = lists[row.ca_id].get_revoked_certificate_by_serial_number(int(row.serial, 16)) is not None
        assert listed == (row.status == "revoked")
        assert told(row.ca, row.serial) == ("REVOKED" if row.status == "revoked" else "GOOD")


def revoke_all_that_was_signed(stage: Stage) -> None:
    """By what the log of the token says, as after a leak: each certificate is found by its bytes, and revoked."""
    hashes = {hashlib.sha256(bytes.fromhex(line[0])).hexdigest() for line in stage.log("signatures").read()}
    revoke_now(Certificate.objects.filter(tbs_sha256__in=hashes).values_list("id", flat=True), "keyCompromise")
    publish()
    for row in Certificate.objects.filter(tbs_sha256__in=hashes).select_related("ca"):
        assert told(row.ca, row.serial) == "REVOKED"


@pytest.mark.timeout(3600 if LONG else 300)
def test_kill_points_of_issuance_and_revocation(demo_pki, stage, rng, tally):
    perform(stage, rng)
    settle(stage)
    counts = check(stage)
    print(dict(counts))
    assert counts["stored"] >= KILLS
    assert int(stage.log("watched").read()[0][0]) > 0
    revoke_all_that_was_signed(stage)
    count(stage, tally)


REFUSAL = """
CREATE FUNCTION soak_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused by the test'; END $$;
CREATE TRIGGER soak_refuse BEFORE INSERT ON pki_certificateblob FOR EACH ROW {when} EXECUTE FUNCTION soak_refuse();
"""
CONSENT = "DROP FUNCTION IF EXISTS soak_refuse CASCADE"


@pytest.fixture
def refusal():
    """Makes the database refuse the last insert of an issuance, and lets it be again."""

    def refuse(on: bool, when: str = "") -> None:
        with tampering() as cursor:
            cursor.execute(CONSENT)
            if on:
                cursor.execute(REFUSAL.format(when=when))

    yield refuse
    refuse(False)


@pytest.mark.timeout(3600 if LONG else 300)
def test_kill_points_while_the_database_refuses_certificates_for_a_while(demo_pki, stage, rng, refusal, tally):
    # Points that lie after the refused insert are not reached meanwhile, so it is on while kills come at any instant.
    def refuse_by_turns(number: int) -> None:
        refusal(number % 2 == 1)
        if number % 2:
            signed = len(stage.log("signatures").read())
            wait_for(lambda: len(stage.log("signatures").read()) > signed, "a signature whose insert is refused")

    perform(stage, rng, refuse_by_turns)
    refusal(False)
    settle(stage)
    counts = check(stage)
    print(dict(counts))
    assert counts["signatures"] > counts["stored"]
    revoke_all_that_was_signed(stage)
    count(stage, tally)


def _plan(count: int) -> list:
    return orders.plan(*[orders.order(subject_ref=f"person:{number}") for number in range(count)])


def test_a_refused_insert_leaves_what_was_signed_findable_and_revocable(demo_pki, stage, refusal):
    ids = _plan(12)
    adopt(ids)
    refusal(True)
    with signatures_logged(stage):
        assert signing.sign_reserved() == 0
    assert set(Certificate.objects.filter(id__in=ids).values_list("status", "signing_attempts")) == {("reserved", 1)}
    revoke_now(ids[:3], "keyCompromise")
    refusal(False)
    settle(stage)
    assert check(stage)["stored"] == 9
    revoke_all_that_was_signed(stage)


def test_a_row_that_the_database_refuses_stops_no_other(demo_pki, stage, refusal):
    ids = _plan(7)
    adopt(ids)
    refusal(True, f"WHEN (NEW.certificate_id = '{ids[3]}')")
    with signatures_logged(stage):
        assert signing.sign_reserved() == 6
    assert list(Certificate.objects.filter(status="reserved").values_list("id", flat=True)) == [ids[3]]
    with clock.moved_to(clock.now() + dt.timedelta(minutes=61)):
        assert signing.revoke_possibly_signed() == 1
    publish()
    assert check(stage)["revoked"] == 1


@pytest.mark.parametrize(
    "spoil",
    [
        "DELETE FROM pki_certificateblob WHERE certificate_id = %(id)s",
        "UPDATE pki_certificateblob SET der = (SELECT der FROM pki_certificateblob WHERE certificate_id <> %(id)s LIMIT 1)",
        "UPDATE pki_certificate SET tbs_sha256 = '' WHERE id = %(id)s",
        "UPDATE pki_certificate SET serial = 'AB' WHERE id = %(id)s",
        "UPDATE pki_certificate SET status = 'reserved' WHERE id = %(id)s",
        "UPDATE pki_certificate SET status = 'revoked', revoked_at = now(), reason = 'superseded' WHERE id = %(id)s",
        "DELETE FROM pki_event WHERE subject_ref = %(id)s AND action = 'certificate.issued'",
        "",
    ],
)
def test_the_checks_can_fail(demo_pki, stage, spoil):
    ids = _plan(3)
    adopt(ids)
    with signatures_logged(stage):
        signing.sign_reserved()
    publish()
    assert check(stage)["issued"] == 3
    if spoil:
        with tampering() as cursor:
            cursor.execute(spoil, {"id": str(ids[0])})
    else:
        stage.log("faults").write("good-though-revoked", ids[0])
    with pytest.raises(AssertionError):
        check(stage)


# --- threads, restarts and forks ----------------------------------------------------------------------------------------

THREADS, PROCESSES, TURNS = 8, 2, 40 if LONG else 6


def test_threads_of_forked_processes_issue_while_the_token_restarts(demo_pki, stage, tally):
    """F10.5, F10.10: the parent has used the token, and no child goes on with a session of the parent's."""
    signing.sign_reserved(_plan(1))
    connections.close_all()  # a child must not inherit them
    fork = multiprocessing.get_context("fork")
    arguments = [(stage, number, THREADS, TURNS) for number in range(PROCESSES)]
    children = [fork.Process(target=issue_while_the_token_restarts, args=each) for each in arguments]
    for child in children:
        child.start()
    for child in children:
        child.join(240)
        assert child.exitcode == 0
    settle(stage)
    assert check(stage)["issued"] == THREADS * PROCESSES * TURNS * 2
    assert [int(line[0]) > 2 for line in stage.log("restarts").read()] == [True] * PROCESSES
    count(stage, tally)
