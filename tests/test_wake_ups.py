"""What one test queued wakes no worker of the next."""

import contextlib

import pytest
import redis
from django.conf import settings
from django.db import transaction

from siths_portal.lib.processes import jobs
from tests.conftest import flush_database

QUEUES = ("default", "pki", "suppliers")


@pytest.mark.django_db(transaction=True)
def test_queues_are_emptied_with_the_tables() -> None:
    with contextlib.closing(redis.Redis.from_url(settings.REDIS_URL)) as broker:
        assert [broker.llen(queue) for queue in QUEUES] == [0, 0, 0]
        with transaction.atomic():
            for queue in QUEUES:
                jobs.enqueue("audit.seal", queue=queue)
        assert [broker.llen(queue) for queue in QUEUES] == [1, 1, 1]
        flush_database()
        assert [broker.llen(queue) for queue in QUEUES] == [0, 0, 0]
