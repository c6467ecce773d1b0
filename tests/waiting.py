"""Waiting for what other processes do: long enough for a machine that has much else to do, and no longer than it takes."""

from collections.abc import Callable

from siths_portal.dev import progress
from tests import superuser


def wait_for(
    ready: Callable[[], bool],
    what: str = "what the test waits for",
    *,
    seconds: float = 150,
    alive: Callable[[], None] | None = None,
) -> None:
    """Until it is so. Raises HouseError after `seconds`, and what `alive` raises when waiting is in vain."""
    progress.wait_for(ready, what, seconds=seconds, alive=alive)


def sessions_waiting() -> int:
    """How many sessions of this database wait for a lock, asked by a connection that nothing else uses.

    pg_locks alone would not do: it also shows the waits of the other databases that the other test processes use.
    """
    with superuser.cursor("waiting") as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return cursor.fetchone()[0]


def advisory_locks() -> int:
    """How many advisory locks the sessions of this database hold. The session of a killed process ends a moment after it."""
    with superuser.cursor("waiting") as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database "
            "WHERE datname = current_database() AND locktype = 'advisory'"
        )
        return cursor.fetchone()[0]
