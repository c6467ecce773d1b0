"""Waking workers over real Redis: after the commit, never before, and never at the price of the change."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from django.db import transaction

from siths_portal.lib.processes import jobs

QUEUE = "test-wakeups"


@pytest.fixture
def broker() -> Iterator["redis.Redis"]:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.delete(QUEUE)
    yield client
    client.delete(QUEUE)
    client.close()


@pytest.mark.django_db(transaction=True)
def test_a_wake_up_follows_the_commit(broker: "redis.Redis") -> None:
    with transaction.atomic():
        jobs.enqueue("audit.seal", queue=QUEUE, ids=["a", "b"])
        assert broker.llen(QUEUE) == 0
    (message,) = broker.lrange(QUEUE, 0, -1)
    assert json.loads(message)["headers"]["task"] == "audit.seal"


@pytest.mark.django_db(transaction=True)
def test_a_change_that_is_taken_back_wakes_nobody(broker: "redis.Redis") -> None:
    with transaction.atomic():
        jobs.enqueue("audit.seal", queue=QUEUE)
        transaction.set_rollback(True)
    with transaction.atomic():
        with transaction.atomic():
            jobs.enqueue("audit.seal", queue=QUEUE)
            transaction.set_rollback(True)
        assert not transaction.get_rollback()
    assert broker.llen(QUEUE) == 0


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broker_url", ["redis+socket:///nonexistent/redis.sock?virtual_host=0", "redis://127.0.0.1:1/0"])
def test_a_broker_that_is_gone_is_forgiven_without_a_wait(broker_url: str) -> None:
    code = (
        "import django; django.setup()\n"
        "import kombu.utils.functional\n"
        "kombu.utils.functional.sleep = lambda seconds: print('waits')\n"
        "from django.db import transaction\n"
        "from authn.models import Event\n"
        "from siths_portal.lib.processes import jobs\n"
        "with transaction.atomic():\n"
        "    Event.record(actor_ref='system:test', action='a.b', subject_type='t', subject_ref='1')\n"
        "    jobs.enqueue('audit.seal', id='8ea5')\n"
        "print(Event.objects.count())\n"
    )
    env = os.environ | {"CELERY_BROKER_URL": broker_url}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], cwd=settings.BASE_DIR, env=env, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    (line,) = (json.loads(line) for line in done.stderr.splitlines())
    assert (line["event"], line["level"], line["job"]) == ("job.wake_failed", "warning", "audit.seal")
