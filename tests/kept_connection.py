"""The connection of the test process stays open from one test of a file to the next, as those of services do between requests.

A new connection reads the catalogue and plans every query again. It is kept only if a test left nothing in it but plans.
"""

import select
from typing import Any

_RESET = "RESET ALL; SELECT pg_advisory_unlock_all(); UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES"
_known: dict[str, str] = {}
"""How the first one was made."""


def keep_or_close() -> None:
    """Lets the next test have the connection as a new one would be, or closes it."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not _reset(connection):
            connection.close()


def close() -> None:
    """Closes what is open."""
    from django.db import connections

    for connection in connections.all(initialized_only=True):
        connection.close()


def _reset(connection: Any) -> bool:
    """Undoes what a session may set. False if the connection is not as one that was just made."""
    from psycopg2 import Error
    from psycopg2.extensions import TRANSACTION_STATUS_IDLE

    from siths_portal.lib.database.prepared import MOST_PLANS, _planned

    raw = connection.connection
    django = (
        connection.in_atomic_block, connection.savepoint_ids, connection.atomic_blocks, connection.needs_rollback,
        connection.run_on_commit, connection.execute_wrappers, connection.force_debug_cursor, connection.errors_occurred,
        connection.closed_in_transaction,
    )  # fmt: skip
    if any(django) or raw.closed or not raw.autocommit or raw.isolation_level is not None:
        return False
    if raw.get_transaction_status() != TRANSACTION_STATUS_IDLE or select.select([raw], [], [], 0)[0]:
        return False
    made = raw.get_dsn_parameters()
    if made != (_known or made) or len(_planned.get(raw, ())) > MOST_PLANS // 2:
        return False
    _known.update(made)
    try:
        with raw.cursor() as cursor:
            cursor.execute(_RESET)
    except Error:
        return False
    return True
