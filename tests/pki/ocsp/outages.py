"""Stops for a while what the status services stand on: this run's own PostgreSQL and Redis, and the token of the status tests."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import redis
from django.conf import settings
from django.db import connections

from siths_portal.dev.private_services import PrivatePostgres, PrivateRedis
from tests import conftest
from tests.pki.ocsp.status_world import TOKEN
from tests.waiting import wait_for


def _root() -> Path:
    return Path(os.environ["SITHS_TEST_ROOT"])


@contextlib.contextmanager
def database_stopped() -> Iterator[None]:
    """PostgreSQL is down inside, with what was committed on disk."""
    postgres = PrivatePostgres(_root() / "pg" / "data", _root() / "pg", fsync=False)
    connections.close_all()
    postgres.stop("fast")
    try:
        yield
    finally:
        connections.close_all()
        postgres.start()


@contextlib.contextmanager
def redis_stopped() -> Iterator[None]:
    """Redis is down inside, and empty when it comes back."""
    server = PrivateRedis(_root() / "redis", _root() / "redis.sock")
    redis.Redis.from_url(settings.REDIS_URL).shutdown(nosave=True)
    wait_for(lambda: not server.socket.exists())
    conftest._running["redis"].wait(60)  # type: ignore[attr-defined]
    try:
        yield
    finally:
        conftest._running["redis"] = server.start()


@contextlib.contextmanager
def token_gone() -> Iterator[None]:
    """The token's folder is elsewhere inside, for every process that has it open or opens it."""
    found: list[Path] = []

    def seen() -> bool:
        tokens = (_root() / "tokens").iterdir()
        found[:] = [each for each in tokens if TOKEN.encode() in (each / "token.object").read_bytes()]
        return len(found) == 1

    wait_for(seen)  # whoever logs in writes the token's file anew, in its place
    away = _root() / "token-away"
    found[0].rename(away)
    try:
        yield
    finally:
        away.rename(found[0])
