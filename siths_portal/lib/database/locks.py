"""Locks of the database that a session holds, within transactions or across them. A process that dies lets go of its own."""

import contextlib
import hashlib
from collections.abc import Iterator

from django.db import Error, connection

from siths_portal.lib.errors import DomainError


def number(name: str) -> int:
    """The lock's number for a name, the same everywhere."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@contextlib.contextmanager
def held(lock: int, *, shared: bool = False) -> Iterator[None]:
    """Holds the lock inside the block, alone or `shared`; waits for those who have it. One session may hold it several times."""
    suffix = "_shared" if shared else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock{suffix}(%s)", [lock])
    try:
        yield
    finally:
        _unlock(lock, suffix)


@contextlib.contextmanager
def alone(lock: int, busy: DomainError) -> Iterator[None]:
    """Holds the lock inside the block. Raises `busy` if another session holds it. One session may hold it several times."""
    with held_if_free(lock) as is_held:
        if not is_held:
            raise busy
        yield


@contextlib.contextmanager
def held_if_free(lock: int) -> Iterator[bool]:
    """Holds the lock inside the block and yields True; yields False, without waiting, if another session holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        is_held = cursor.fetchone() == (True,)
    try:
        yield is_held
    finally:
        if is_held:
            _unlock(lock)


def _unlock(lock: int, suffix: str = "") -> None:
    # A connection that broke has let go by itself.
    with contextlib.suppress(Error), connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_unlock{suffix}(%s)", [lock])


def lock_until_commit(name: str) -> None:
    """Waits for whoever has the lock of this name, and has it until the transaction around ends. Must run inside one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number(name)])
