"""One state of the database at which many rounds begin, each as if the others had not been.

Only rows rewind: an act must leave nothing in Redis or in memory that the next round would notice.
"""

import contextlib
import io
from collections.abc import Callable, Iterator

from django.db import transaction

from tests import superuser
from tests.first_rows import FRAMEWORK, texts


def rewinder() -> Callable[[], None]:
    """Returns a function that brings all rows back to what they are now. Nobody else may write meanwhile."""
    kept = texts()

    def rewind() -> None:
        now = texts()
        changed = {table for table in kept.keys() | now.keys() if kept.get(table) != now.get(table)} - FRAMEWORK
        with superuser.cursor() as cursor:
            for table in changed:
                cursor.execute(f'DELETE FROM "{table}"')
                if table in kept:
                    cursor.copy_expert(f'COPY "{table}" FROM STDIN', io.BytesIO(kept[table]))

    return rewind


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Rolls back what is done inside, which other connections never see. Services may begin durable transactions there."""
    outer = transaction.atomic()
    outer._from_testcase = True  # as the transaction of Django's own test cases
    with outer:
        yield
        transaction.set_rollback(True)
