"""The `pki` worker and the scheduler as processes on the real queue: status follows a revocation, also if the wake-up is lost."""

import pytest
from cryptography.x509 import ocsp as x509_ocsp
from django.db import transaction

from pki.crl import building
from pki.domain.ocsp_request import CertId
from pki.ocsp import status
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock
from siths_portal.lib.processes import jobs
from tests.pki.workers import Workers, forget_messages

GOOD, REVOKED = x509_ocsp.OCSPCertStatus.GOOD, x509_ocsp.OCSPCertStatus.REVOKED


@pytest.fixture
def workers(world, tmp_path):
    """Workers of both queues; they end in order."""
    made = Workers(tmp_path)
    try:
        yield made
        made.tell_to_end()
    finally:
        made.end()


def seen(row):
    """What a relying party is told now; None while there is no answer."""
    asked = CertId("sha256", row.ca.name_sha256, row.ca.key_sha256, int(row.serial, 16))
    try:
        return x509_ocsp.load_der_ocsp_response(status.answer(asked).der).certificate_status
    except status.TryLater:
        return None


def revoke(row):
    with transaction.atomic(durable=True):
        plan_revocation([row.id], reason="superseded", actor_ref="user:1", received_at=clock.now(), channel="portal")


def test_the_wake_up_alone_makes_the_answer_follow(world, workers):
    workers.start("-c", "1")
    row = world.issue()
    with transaction.atomic():
        jobs.enqueue("pki.presign", queue="pki", certificate_ids=[str(row.id)])
    workers.wait_for(lambda: seen(row) == GOOD, "the answer")
    revoke(row)
    assert seen(row) in (None, REVOKED)
    workers.wait_for(lambda: seen(row) == REVOKED, "the answer of the revocation")
    with transaction.atomic():
        jobs.enqueue("pki.publish_crls", queue="pki")
    workers.wait_for(lambda: building.crl_path(world.first).exists() and building.crl_path(world.second).exists(), "the lists")


def test_a_lost_wake_up_costs_no_more_than_the_sweepers_turn(world, workers):
    row = world.issue()
    revoke(row)
    forget_messages()
    workers.start("-c", "1", "-B")
    workers.wait_for(lambda: seen(row) == REVOKED, "the answer of the revocation")


def test_a_worker_killed_at_its_work_loses_nothing(world, workers):
    rows = [world.issue() for _ in range(40)]
    worker = workers.start("-c", "1", "-B")
    workers.wait_for(lambda: seen(rows[0]) == GOOD, "the first answer")
    for row in rows:
        revoke(row)
    workers.kill(worker)
    workers.start("-c", "1", "-B")
    workers.wait_for(lambda: all(seen(row) == REVOKED for row in rows), "the answers of all revocations")
