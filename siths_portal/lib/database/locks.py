"""Locks of the database that a session holds, within transactions or across them. A process that dies lets go of its own."""

import contextlib
import hashlib
from collections.abc import Iterator

from django.db import DatabaseError, connection


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
        # A connection that broke has let go by itself.
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute(f"SELECT pg_advisory_unlock{suffix}(%s)", [lock])


def lock_until_commit(name: str) -> None:
    """Waits for whoever has the lock of this name, and has it until the transaction around ends. Must run inside one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number(name)])
