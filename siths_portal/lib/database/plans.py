"""Planner settings for statements whose costs PostgreSQL's planner cannot estimate."""

import contextlib
from collections.abc import Iterator

from django.db import DatabaseError, connection, transaction

_INDEXED = "_reads_only_indexes"  # attribute of the connection while a block is open


@contextlib.contextmanager
def walking_indexes() -> Iterator[None]:
    """Inside the block, a transaction, queries read an index in its order where there is one, instead of sorting all rows.

    Use it for pages of lists with correlated filters on several tables. The planner assumes that the filters are independent,
    expects almost no rows and therefore chooses to sort. JIT is off too, since it depends on the same estimates. Must be the
    outermost transaction.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_sort = off; SET LOCAL jit = off")
        yield


@contextlib.contextmanager
def only_indexed() -> Iterator[None]:
    """Inside the block, which must be inside a transaction, queries use indexes and neither scan tables nor sort.

    Use it for conditions that compare two columns. The planner has no statistics for them and expects every row; once the index
    has grown a little (after many changes, before a vacuum) it scans the table to find no row. A nested block sends no statement.
    """
    if getattr(connection, _INDEXED, False):
        yield
        return
    ways = ("seqscan", "sort", "incremental_sort")
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL enable_{way} = off" for way in ways) + "; SET LOCAL jit = off")
    setattr(connection, _INDEXED, True)
    try:
        yield
    finally:
        setattr(connection, _INDEXED, False)
    with connection.cursor() as cursor:
        cursor.execute("; ".join(f"SET LOCAL enable_{way} TO DEFAULT" for way in ways) + "; SET LOCAL jit TO DEFAULT")


@contextlib.contextmanager
def without_loops() -> Iterator[None]:
    """Inside the block PostgreSQL joins tables by hash or merge and not by nested loop, inside a transaction or not.

    Use it for statements that compare complete tables that were just filled. Before the tables are analysed, the planner expects
    few rows and chooses a nested loop, which then runs once for each of many rows.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET enable_nestloop = off")
    try:
        yield
    finally:
        # The rollback of a failed transaction resets the setting, and a broken connection has lost it.
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SET enable_nestloop TO DEFAULT")
