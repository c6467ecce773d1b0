"""F19: another transaction holds a lock for long. An order ends in an error and leaves nothing; the repeat makes one order."""

import contextlib
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from django.db import OperationalError, connection

from issuance.orders.models.orders import CardOrder
from tests.faults.tally import Tally
from tests.waiting import sessions_waiting

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = "SET statement_timeout = '200ms'"
"""As STATEMENT_SECONDS limits each statement of a site, for a lock that lasts longer than a test may."""


@contextlib.contextmanager
def locked(table: str) -> Iterator[None]:
    """Another transaction holds the table and does not end."""
    options = connection.settings_dict
    with contextlib.closing(psycopg2.connect(dbname=options["NAME"], user="postgres", host=options["OPTIONS"]["host"])) as holder:
        holder.cursor().execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        yield


@contextlib.contextmanager
def limited() -> Iterator[None]:
    """Statements of this connection may take as long as LIMIT says."""
    with connection.cursor() as cursor:
        cursor.execute(LIMIT)
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET statement_timeout")


def test_a_long_lock_ends_in_an_error_and_the_repeat_makes_one_order(world: Any, tally: Tally) -> None:
    actor, made = world.officer(), []
    for _ in range(3):
        post, key = world.post(), str(uuid.uuid4())
        with limited(), locked(CardOrder._meta.db_table), pytest.raises(OperationalError, match="statement timeout"):
            world.order(post, actor=actor, key=key)
        assert sessions_waiting() == 0, "the row is not blocked any more"
        orders = {world.order(post, actor=actor, key=key).pk for _ in range(2)}
        assert len(orders) == 1
        made += orders
    tally.run(made, CardOrder.objects.values_list("pk", flat=True), "orders")
