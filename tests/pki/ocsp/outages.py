"""Takes away for a while what services stand on: this run's own PostgreSQL and Redis, and the token of the status tests."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import redis
from django.conf import settings
from django.db import connection, connections

from siths_portal.dev.private_services import PrivatePostgres, PrivateRedis
from tests import conftest, superuser
from tests.database_roles import TEST_ROLE
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


def end_sessions() -> None:
    """Ends the sessions of what tests start, which then need a new connection, and returns when they are gone."""
    with superuser.cursor("ending") as cursor:
        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [TEST_ROLE])

    def gone() -> bool:
        with superuser.cursor("ending") as cursor:
            cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [TEST_ROLE])
            return cursor.fetchone() == (0,)

    wait_for(gone)


@contextlib.contextmanager
def every_connection_taken() -> Iterator[None]:
    """The database's connections are all somebody else's."""
    host, name = connection.settings_dict["OPTIONS"]["host"], connection.settings_dict["NAME"]
    taken = []
    try:
        with contextlib.suppress(psycopg2.OperationalError):
            while len(taken) < 500:
                taken.append(psycopg2.connect(dbname=name, user="postgres", host=host))
        assert len(taken) < 500
        yield
    finally:
        for each in taken:
            each.close()
        wait_for(lambda: _is_free(host, name), "a connection to be had again")


def _is_free(host: str, name: str) -> bool:
    """Whether the database takes one more: its processes end a while after their connections."""
    try:
        psycopg2.connect(dbname=name, user="postgres", host=host).close()
    except psycopg2.OperationalError:
        return False
    return True
