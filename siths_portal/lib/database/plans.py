"""What the planner of the database is told, where it cannot know better by itself."""

import contextlib
from collections.abc import Iterator

from django.db import DatabaseError, connection, transaction

_INDEXED = "_reads_only_indexes"  # on the connection: the block is open


@contextlib.contextmanager
def walking_indexes() -> Iterator[None]:
    """Inside the block queries read along an index in its order where there is one, rather than everything to sort it.

    For pages of lists whose filters on several tables go together: the planner, who thinks them independent, expects next to no
    rows, and that to sort these costs nothing. Costs that are told so are no measure for compiling either. Outermost transaction.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_sort = off; SET LOCAL jit = off")
        yield


@contextlib.contextmanager
def only_indexed() -> Iterator[None]:
    """Inside the block, which must lie in a transaction, an index that holds what is asked for, in its order, is what is read.

    For conditions that compare two columns, of which the planner knows nothing: it expects every row, and as soon as the index is
    a little larger than it need be (after many changes, before a vacuum) it reads all rows to find none. A block inside another
    sends nothing.
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
    """Inside the block tables are joined whole, by hash or in order, and not row by row; in a transaction or not.

    For statements that compare whole tables which may have been filled a moment ago, before PostgreSQL counted what is in them:
    a loop that it expects to go round for a few rows goes round for all.
    """
    with connection.cursor() as cursor:
        cursor.execute("SET enable_nestloop = off")
    try:
        yield
    finally:
        # A transaction that failed takes it back by itself, and a connection that broke had it alone.
        with contextlib.suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SET enable_nestloop TO DEFAULT")
