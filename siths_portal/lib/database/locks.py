"""PostgreSQL advisory locks, held by a session or until a commit. The database releases the locks of a process that dies."""

import contextlib
import hashlib
from collections.abc import Iterator

from django.db import Error, connection

from siths_portal.lib.errors import DomainError


def number(name: str) -> int:
    """Returns the lock number of a name, the same in every process."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], signed=True)


@contextlib.contextmanager
def held(lock: int, *, shared: bool = False) -> Iterator[None]:
    """Holds the lock inside the block, exclusively or `shared`, after waiting for it. A session may take it several times."""
    suffix = "_shared" if shared else ""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_lock{suffix}(%s)", [lock])
    try:
        yield
    finally:
        _unlock(lock, suffix)


@contextlib.contextmanager
def held_or_raise(lock: int, busy: DomainError) -> Iterator[None]:
    """Holds the lock inside the block. Raises `busy` if another session holds it. A session may take it several times."""
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
    # If the connection is broken, the database has already released its locks.
    with contextlib.suppress(Error), connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_unlock{suffix}(%s)", [lock])


def lock_until_commit(name: str) -> None:
    """Waits for the lock of this name and holds it until the caller's transaction ends. Must run inside a transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number(name)])
