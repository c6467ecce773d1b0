"""Idempotency keys in real PostgreSQL: one effect, one answer, also when the process dies in between (S31)."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest
from django.db import connection, connections

from authn import service
from authn.models import IdempotencyRecord, ServiceClient
from authn.tasks import prune_idempotency
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, DomainError, Invalid
from siths_portal.lib.rest.idempotency import Answer, required_key
from tests.faults.tally import Tally
from tests.tls import DAY

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


class Act:
    """Counts its runs and answers with the count."""

    def __init__(self, status: int = 201) -> None:
        self.runs, self.status = 0, status

    def __call__(self) -> Answer:
        self.runs += 1
        return Answer(self.status, {"Location": "/there"}, f'{{"run": {self.runs}}}')


def perform(act, *, key: str = "k1", body: bytes = b"{}", client_ref: str = "supplier-a") -> Answer:
    return service.idempotency_store().perform(client_ref=client_ref, key=key, method="POST", path="/x", body=body, act=act)


def test_the_same_request_is_done_once_and_answered_alike() -> None:
    act = Act()
    first, second = perform(act), perform(act)
    assert act.runs == 1
    assert (second.status, second.headers, second.body) == (first.status, first.headers, first.body)
    assert (first.replayed, second.replayed) == (False, True)


def test_a_key_belongs_to_one_request_of_one_client() -> None:
    act = Act()
    perform(act)
    with pytest.raises(Invalid, match="idempotency-key-reused"):
        perform(act, body=b'{"other": 1}')
    perform(act, client_ref="supplier-b")
    perform(act, key="k2")
    assert act.runs == 3


def test_a_refusal_frees_the_key() -> None:
    def refuse() -> Answer:
        raise Conflict("order-state", "Nej.")

    with pytest.raises(Conflict, match="order-state"):
        perform(refuse)
    assert not IdempotencyRecord.objects.exists()
    assert perform(Act(503)).status == 503
    act = Act()
    assert perform(act, body=b"corrected").status == 201
    assert act.runs == 1


@pytest.mark.parametrize("key", [None, "", " ", "å", "a b", "x" * 256, "a\n"])
def test_a_key_must_be_there_and_visible_ascii(key: str | None) -> None:
    with pytest.raises(DomainError) as refusal:
        required_key(key)
    assert refusal.value.http_status == 400


def test_the_same_request_at_the_same_time_is_refused_and_done_once() -> None:
    started, finish = threading.Event(), threading.Event()
    outcomes: list[object] = []

    def slow() -> Answer:
        started.set()
        assert finish.wait(30)
        return Answer(201, {}, "{}")

    def first() -> None:
        outcomes.append(perform(slow))
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert started.wait(30)
    act = Act()
    with pytest.raises(Conflict, match="request-in-progress"):
        perform(act)
    with pytest.raises(Invalid, match="idempotency-key-reused"):
        perform(act, body=b"other")
    finish.set()
    thread.join(30)
    assert act.runs == 0
    assert perform(act) == Answer(201, {}, "{}", replayed=True)


def test_eight_threads_with_one_key_have_one_effect() -> None:
    act, outcomes, gate = Act(), [], threading.Barrier(8)

    def attempt() -> None:
        gate.wait(30)
        try:
            outcomes.append(perform(act).body)
        except Conflict as error:
            outcomes.append(error.code)
        connections.close_all()

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert act.runs == 1
    assert len(outcomes) == 8
    assert set(outcomes) <= {'{"run": 1}', "request-in-progress"}


def test_a_claim_older_than_the_lease_is_taken_over_even_from_a_living_process(settings) -> None:
    started, finish = threading.Event(), threading.Event()

    def hung() -> Answer:
        started.set()
        assert finish.wait(30)
        return Answer(201, {}, '{"late": true}')

    def first() -> None:
        perform(hung)
        connections.close_all()

    thread = threading.Thread(target=first)
    thread.start()
    assert started.wait(30)
    act = Act()
    with clock.moved_to(clock.now() + DAY):
        assert perform(act).body == '{"run": 1}'
    finish.set()
    thread.join(30)
    assert perform(act).body == '{"run": 1}', "the late attempt must not overwrite the stored answer"


SCRIPT = textwrap.dedent(
    """
    import django
    django.setup()
    from authn import service
    from authn.models import ServiceClient
    from siths_portal.lib.rest.idempotency import Answer

    def act():
        ServiceClient.objects.get_or_create(client_ref="made", defaults={"kind": "service", "name": "x"})
        return Answer(201, {}, "{}")

    print(service.idempotency_store().perform(
        client_ref="supplier-a", key="k1", method="POST", path="/x", body=b"{}", act=act).status)
    """
)


@pytest.mark.soak
@pytest.mark.parametrize(
    ("point", "done"), [("api.before-receipt", False), ("api.after-receipt", False), ("api.after-commit", True)]
)
def test_a_process_killed_at_any_point_is_followed_by_the_same_effect_and_answer(
    tmp_path: Path, point: str, done: bool, tally: Tally
) -> None:
    armed = tmp_path / point
    for _ in range(10 if os.environ.get("SITHS_LONG") else 1):
        ServiceClient.objects.all().delete()
        IdempotencyRecord.objects.all().delete()
        armed.touch()
        environment = os.environ | {"SITHS_FAULT_DIR": str(tmp_path)}
        killed = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, check=False, timeout=150)
        assert killed.returncode == -signal.SIGKILL
        assert ServiceClient.objects.exists() is done
        again = subprocess.run(
            [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, check=False, capture_output=True, text=True, timeout=150
        )
        assert (again.returncode, again.stdout) == (0, "201\n"), again.stderr
        assert ServiceClient.objects.count() == 1
        assert IdempotencyRecord.objects.get().status == 201
        tally.run(["made"], ServiceClient.objects.values_list("client_ref", flat=True), "effects")


def test_no_lock_is_left_behind() -> None:
    perform(Act())
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert cursor.fetchone()[0] == 0


def test_old_keys_are_forgotten() -> None:
    with clock.moved_to(clock.now() - 31 * DAY):
        perform(Act(), key="old")
    perform(Act(), key="new")
    prune_idempotency()
    assert list(IdempotencyRecord.objects.values_list("key", flat=True)) == ["new"]
