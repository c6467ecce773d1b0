"""Mass revocation under power cuts: SIGKILL at every named point and of a whole worker; nothing is missing or done twice."""

import contextlib
import os
import signal
import subprocess
import sys

import pytest
import redis
from django.conf import settings
from django.db import connection, connections

from pki import crl, mass_running, ocsp, service
from pki.models import Certificate, Event, MassRevocation, MassRevocationMember, Revocation
from siths_portal.dev.progress import HouseError
from tests import superuser
from tests.forking import forked
from tests.pki.test_mass_revocation import FIRST, SECOND, approve, ask, listed, rows_like, started, told
from tests.waiting import wait_for

BATCH_POINTS = ["pki.revoke.before-commit", "pki.mass.before-commit", "pki.mass.after-commit"]
END_POINTS = ["pki.mass.after-crls", "pki.mass.after-note", "pki.mass.after-answers", "pki.mass.before-finish"]
BOTH = service.MassSelection(cas=(FIRST, SECOND))


def turns(view):
    """As a worker's: until nothing is left to do, as if the time had passed for which a dead worker's claim is respected."""

    def work() -> None:
        mass_running.BATCH, mass_running.CLAIM = 10, mass_running.CLAIM * 0
        while mass_running.run(view.id):
            pass

    return work


def exact(view) -> None:
    """At every moment, also right after a cut: what is counted is what is revoked, once each, with one event and one record."""
    row = MassRevocation.objects.get(id=view.id)
    revoked = set(Certificate.objects.filter(status="revoked").values_list("id", flat=True))
    assert row.done == row.revoked == len(revoked)
    assert sorted(Revocation.objects.values_list("certificate_id", flat=True)) == sorted(revoked)
    events = Event.objects.filter(action="certificate.revoked").values_list("subject_ref", flat=True)
    assert sorted(events) == sorted(str(id_) for id_ in revoked)


def finished(view, world, count) -> None:
    view = service.mass_revocation(view.id)
    assert (view.state, view.done, view.revoked, view.total) == ("finished", count, count, count)
    assert view.report["differences"] == {"members": 0, "passed": 0, "revoked_meanwhile": 0, "not_revoked": 0}
    exact(view)
    assert Event.objects.filter(action="mass_revocation.finished").count() == 1
    ocsp.presign_due(limit=1000)
    for ca in (world.first, world.second):
        found = listed(ca)
        rows = Certificate.objects.filter(ca=ca, status="revoked")
        assert len(found) == rows.count()
        for row in rows:
            assert told(row) == ("REVOKED", *found[int(row.serial, 16)])


@pytest.mark.parametrize("point", BATCH_POINTS)
def test_a_cut_in_each_batch(world, armed, point):
    rows_like(world, 20)
    rows_like(world, 15, world.second)
    view = started(BOTH)
    for cuts in range(1, 5):
        (armed / point).touch()
        assert forked(turns(view), armed) == -signal.SIGKILL
        exact(view)
        if point.endswith("before-commit"):
            assert service.mass_revocation(view.id).done == 0
        else:
            assert service.mass_revocation(view.id).done == min(10 * cuts, 35)
    assert forked(turns(view), armed) == 0
    finished(view, world, 35)


@pytest.mark.parametrize("point", END_POINTS)
def test_a_cut_at_the_end(world, armed, point):
    rows_like(world, 28)
    rows_like(world, 4, world.second)
    view = started(BOTH)
    for cuts in range(1, 4):
        (armed / point).touch()
        ended = forked(turns(view), armed)
        # What is noted once is not noted again; answers come in three batches and then one more.
        assert ended == (0 if point == "pki.mass.after-note" and cuts > 1 else -signal.SIGKILL)
        exact(view)
        assert service.mass_revocation(view.id).state == ("publishing" if ended else "finished")
        assert len(listed(world.first)) == 28  # the CRL went out
        (armed / point).unlink(missing_ok=True)
    assert forked(turns(view), armed) == 0
    finished(view, world, 32)


def test_a_cut_while_it_is_started_leaves_the_approval_unused(world, armed):
    rows_like(world, 3)
    view = ask()
    approve(view)
    (armed / "pki.mass.start.before-commit").touch()
    assert forked(lambda: service.start_mass_revocation(view.id, actor_ref="user:1"), armed) == -signal.SIGKILL
    assert service.mass_revocation(view.id).state == "approved"
    assert service.start_mass_revocation(view.id, actor_ref="user:1").state == "running"


def test_a_dead_workers_claim_is_respected_for_a_while(world, armed):
    rows_like(world, 30)
    view = started()
    (armed / "pki.mass.after-commit").touch()

    def with_its_claim() -> None:
        mass_running.BATCH = 10
        mass_running.run(view.id)

    assert forked(with_its_claim, armed) == -signal.SIGKILL
    assert mass_running.wake_due() == 0
    assert not mass_running.run(view.id)
    assert service.mass_revocation(view.id).done == 10


@pytest.fixture
def start_worker(tmp_path):
    """Starts a worker of both queues, with the scheduler unless told otherwise; ends what it started."""
    begun = []
    others.update(sessions())

    def start(*, scheduler=True):
        number = len(begun)
        command = [sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker", "-Q", "pki,default", "-c", "2"]
        command += ["-B"] if scheduler else []
        environment = os.environ | {"PKI_STATUS_DIR": str(settings.PKI_STATUS_DIR)}
        log = (tmp_path / f"worker-{number}.log").open("wb")
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        begun.append((process, log))
        return process

    yield start
    for process, log in begun:
        kill(process)
        log.close()
    others.clear()
    redis.Redis.from_url(settings.REDIS_URL).flushdb()


def kill(worker) -> None:
    """Kills the worker with all its processes, and waits until the database has ended what they had begun.

    A statement that was sent goes on without who sent it, and a commit among them would count between two looks of the test.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.pid, signal.SIGKILL)
    worker.wait(60)
    try:
        wait_for(lambda: not sessions() - others)
    except HouseError as late:
        raise AssertionError(f"still at work: {at_work(sessions() - others)}") from late


def at_work(pids: set[int]) -> list[tuple[str, ...]]:
    """What these sessions do, or did last, and whom they wait for."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT usename, application_name, state, wait_event, (now() - query_start)::text, pg_blocking_pids(pid)::text, "
            "left(query, 300) FROM pg_stat_activity WHERE pid = ANY(%s)",
            [list(pids)],
        )
        return cursor.fetchall()


others: set[int] = set()
"""Sessions that were there before the test's first worker: some of this process's own live as long as it does."""


def sessions(condition: str = "TRUE") -> set[int]:
    """The sessions of this database but the one that asks."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            f"AND backend_type = 'client backend' AND {condition}"
        )
        return {pid for (pid,) in cursor.fetchall()}


@contextlib.contextmanager
def held(id_):
    """Nobody passes this certificate: whoever comes to it waits."""
    connections["default"].ensure_connection()
    other = connections["default"].copy()
    with other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1 FROM pki_certificate WHERE id = %s FOR UPDATE", [id_])
        yield
        cursor.execute("ROLLBACK")
    other.close()


@pytest.mark.timeout(1200)
def test_a_worker_that_is_killed_while_it_runs_is_replaced(world, start_worker):
    """A real worker on the real queue, killed with all its processes in its third batch; the wake-ups in Redis are lost too."""
    count = 1_500
    rows_like(world, count // 2)
    rows_like(world, count // 2, world.second)
    view = started(BOTH)
    superuser.analyze()  # a plan for the empty tables of the test before would ask each row about each
    members = MassRevocationMember.objects.order_by("certificate_id").values_list("certificate_id", flat=True)
    with held(members[1_200]):
        worker = start_worker()
        wait_for(lambda: service.mass_revocation(view.id).done == 1_000)
        wait_for(lambda: bool(sessions("wait_event_type = 'Lock'")))
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait(60)
    kill(worker)
    exact(view)
    assert service.mass_revocation(view.id).done == 1_000
    redis.Redis.from_url(settings.REDIS_URL).flushdb()
    # As if the dead worker's minute had passed.
    MassRevocation.objects.filter(id=view.id).update(claimed_until=None)
    worker = start_worker()
    wait_for(lambda: service.mass_revocation(view.id).state == "finished", seconds=600)
    kill(worker)
    finished(view, world, count)


@pytest.mark.timeout(600)
def test_a_wake_up_starts_it_without_the_scheduler(world, start_worker):
    rows_like(world, 3)
    view = started()
    start_worker(scheduler=False)
    wait_for(lambda: service.mass_revocation(view.id).state == "finished")
    assert crl.crl_path(world.first).exists()
