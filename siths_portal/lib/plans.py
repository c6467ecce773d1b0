"""What the planner of the database is told, where it cannot know better by itself."""

import contextlib
from collections.abc import Iterator

from django.db import connection, transaction


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
