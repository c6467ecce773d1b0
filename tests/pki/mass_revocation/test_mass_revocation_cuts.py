"""Mass revocation under power cuts: SIGKILL at every named point and of a whole worker; nothing is missing or done twice."""

import contextlib
import os
import signal

import pytest
from django.db import connections

from pki.crl import building
from pki.mass_revocation import MassSelection, execution, mass_revocation, start_mass_revocation
from pki.models import Certificate, Event, MassRevocation, MassRevocationMember, Revocation
from pki.ocsp import presigning
from tests import superuser
from tests.forking import forked
from tests.killing import kill_group
from tests.pki.mass_revocation.test_mass_revocation import FIRST, SECOND, approve, ask, listed, rows_like, started, told
from tests.pki.workers import Workers, forget_messages, sessions

BATCH_POINTS = ["pki.revoke.before-commit", "pki.mass.before-commit", "pki.mass.after-commit"]
END_POINTS = ["pki.mass.after-crls", "pki.mass.after-note", "pki.mass.after-answers", "pki.mass.before-finish"]
BOTH = MassSelection(cas=(FIRST, SECOND))
BATCHES = 2 if os.environ.get("SITHS_LONG") else 1
"""How many a worker has done when it is killed in the next one."""


def turns(view):
    """As a worker's: until nothing is left to do, as if the time had passed for which a dead worker's claim is respected."""

    def work() -> None:
        execution.BATCH, execution.CLAIM = 10, execution.CLAIM * 0
        while execution.run(view.id):
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
    view = mass_revocation(view.id)
    assert (view.state, view.done, view.revoked, view.total) == ("finished", count, count, count)
    assert view.report["differences"] == {"members": 0, "passed": 0, "revoked_meanwhile": 0, "not_revoked": 0}
    exact(view)
    assert Event.objects.filter(action="mass_revocation.finished").count() == 1
    presigning.presign_due(limit=1000)
    for ca in (world.first, world.second):
        found = listed(ca)
        rows = Certificate.objects.filter(ca=ca, status="revoked")
        assert len(found) == rows.count()
        for row in rows:
            assert told(row) == ("REVOKED", *found[int(row.serial, 16)])


def count_revocations(tally) -> None:
    """Compares the revoked certificates with the rows of their revocations."""
    revoked = Certificate.objects.filter(status="revoked").values_list("id", flat=True)
    tally.run(revoked, Revocation.objects.values_list("certificate_id", flat=True), "revocations")


@pytest.mark.parametrize("point", BATCH_POINTS)
def test_a_cut_in_each_batch(world, armed, point, tally):
    rows_like(world, 20)
    rows_like(world, 15, world.second)
    view = started(BOTH)
    for cuts in range(1, 5):
        (armed / point).touch()
        assert forked(turns(view), armed) == -signal.SIGKILL
        exact(view)
        if point.endswith("before-commit"):
            assert mass_revocation(view.id).done == 0
        else:
            assert mass_revocation(view.id).done == min(10 * cuts, 35)
    assert forked(turns(view), armed) == 0
    finished(view, world, 35)
    count_revocations(tally)


@pytest.mark.parametrize("point", END_POINTS)
def test_a_cut_at_the_end(world, armed, point, tally):
    rows_like(world, 28)
    rows_like(world, 4, world.second)
    view = started(BOTH)
    for cuts in range(1, 4):
        (armed / point).touch()
        ended = forked(turns(view), armed)
        # What is noted once is not noted again; answers come in three batches and then one more.
        assert ended == (0 if point == "pki.mass.after-note" and cuts > 1 else -signal.SIGKILL)
        exact(view)
        assert mass_revocation(view.id).state == ("publishing" if ended else "finished")
        assert len(listed(world.first)) == 28  # the CRL went out
        (armed / point).unlink(missing_ok=True)
    assert forked(turns(view), armed) == 0
    finished(view, world, 32)
    count_revocations(tally)


def test_a_cut_while_it_is_started_leaves_the_approval_unused(world, armed, tally):
    rows_like(world, 3)
    view = ask()
    approve(view)
    (armed / "pki.mass.start.before-commit").touch()
    assert forked(lambda: start_mass_revocation(view.id, actor_ref="user:1"), armed) == -signal.SIGKILL
    assert mass_revocation(view.id).state == "approved"
    assert start_mass_revocation(view.id, actor_ref="user:1").state == "running"
    tally.run(["running"], [mass_revocation(view.id).state], "started revocations")


def test_a_dead_workers_claim_is_respected_for_a_while(world, armed):
    rows_like(world, 30)
    view = started()
    (armed / "pki.mass.after-commit").touch()

    def with_its_claim() -> None:
        execution.BATCH = 10
        execution.run(view.id)

    assert forked(with_its_claim, armed) == -signal.SIGKILL
    assert execution.wake_due() == 0
    assert not execution.run(view.id)
    assert mass_revocation(view.id).done == 10


@pytest.fixture
def workers(world, tmp_path):
    """Workers of both queues. Their own keys are made in the token of this test's CAs, and not in that of others."""
    made = Workers(tmp_path, PKCS11_TOKEN=world.token.token_label)
    yield made
    made.end()


@contextlib.contextmanager
def held(id_):
    """Nobody passes this certificate: whoever comes to it waits."""
    connections["default"].ensure_connection()
    other = connections["default"].copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM pki_certificate WHERE id = %s FOR UPDATE", [id_])
            yield
            cursor.execute("ROLLBACK")
    finally:
        other.close()  # also after a failure: else whoever empties the tables would wait for the row


@pytest.mark.timeout(1200)
def test_a_worker_that_is_killed_while_it_runs_is_replaced(world, workers, tally):
    """A real worker on the real queue, killed with all its processes in its last batch; the wake-ups in Redis are lost too."""
    done = BATCHES * execution.BATCH
    count = done + 20
    rows_like(world, count // 2)
    rows_like(world, count // 2, world.second)
    view = started(BOTH)
    superuser.analyze()  # a plan for the empty tables of the test before would ask each row about each
    members = MassRevocationMember.objects.order_by("certificate_id").values_list("certificate_id", flat=True)
    with held(members[done + 10]):
        worker = workers.start("-c", "2", "-B")
        workers.wait_for(lambda: mass_revocation(view.id).done == done, "the batches before")
        workers.wait_for(lambda: bool(sessions("wait_event_type = 'Lock'")), "somebody to wait for the held certificate")
        kill_group(worker.pid)
        worker.wait(60)
    workers.kill(worker)
    exact(view)
    assert mass_revocation(view.id).done == done
    forget_messages()
    # As if the dead worker's minute had passed.
    MassRevocation.objects.filter(id=view.id).update(claimed_until=None)
    worker = workers.start("-c", "2", "-B")
    workers.wait_for(lambda: mass_revocation(view.id).state == "finished", "the end", seconds=600)
    workers.kill(worker)
    finished(view, world, count)
    count_revocations(tally)


@pytest.mark.timeout(600)
def test_a_wake_up_starts_it_without_the_scheduler(world, workers):
    rows_like(world, 3)
    view = started()
    workers.start("-c", "2")
    workers.wait_for(lambda: mass_revocation(view.id).state == "finished", "the end")
    assert building.crl_path(world.first).exists()
