"""The `pki` worker and the scheduler as processes on the real queue: status follows a revocation, also if the wake-up is lost."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest
import redis
from cryptography.x509 import ocsp as x509_ocsp
from django.conf import settings
from django.db import transaction

from pki import crl, status
from pki.domain.ocsp_request import CertId
from pki.revoking import plan_revocation
from siths_portal.lib import clock, jobs
from tests.waiting import wait_for

GOOD, REVOKED = x509_ocsp.OCSPCertStatus.GOOD, x509_ocsp.OCSPCertStatus.REVOKED


@pytest.fixture
def start_worker(tmp_path):
    """Starts a worker of both queues, with the scheduler inside if asked; ends what it started."""
    started = []

    def start(*options):
        command = [sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker", "-Q", "pki,default", "-c", "1"]
        environment = os.environ | {"PKI_STATUS_DIR": str(settings.PKI_STATUS_DIR)}
        log = (tmp_path / f"worker-{len(started)}.log").open("wb")
        # A session of its own: the worker's children, the scheduler among them, can outlive it, and must not outlive the test.
        process = subprocess.Popen([*command, *options], env=environment, stdout=log, stderr=log, start_new_session=True)
        started.append((process, log))
        return process

    yield start
    for process, log in started:
        if process.poll() is None:
            process.terminate()
            process.wait(150)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        log.close()
    redis.Redis.from_url(settings.REDIS_URL).flushdb()


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


def test_the_wake_up_alone_makes_the_answer_follow(world, start_worker):
    start_worker()
    row = world.issue()
    with transaction.atomic():
        jobs.enqueue("pki.presign", queue="pki", certificate_ids=[str(row.id)])
    wait_for(lambda: seen(row) == GOOD)
    revoke(row)
    assert seen(row) in (None, REVOKED)
    wait_for(lambda: seen(row) == REVOKED)
    with transaction.atomic():
        jobs.enqueue("pki.publish_crls", queue="pki")
    wait_for(lambda: crl.crl_path(world.first).exists() and crl.crl_path(world.second).exists())


def test_a_lost_wake_up_costs_no_more_than_the_sweepers_turn(world, start_worker):
    row = world.issue()
    revoke(row)
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    start_worker("-B")
    wait_for(lambda: seen(row) == REVOKED)


def test_a_worker_killed_at_its_work_loses_nothing(world, start_worker):
    rows = [world.issue() for _ in range(40)]
    start = start_worker("-B")
    wait_for(lambda: seen(rows[0]) == GOOD)
    for row in rows:
        revoke(row)
    os.killpg(start.pid, signal.SIGKILL)
    start.wait(150)
    start_worker("-B")
    wait_for(lambda: all(seen(row) == REVOKED for row in rows))
