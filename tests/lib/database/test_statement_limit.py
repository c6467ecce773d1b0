"""A statement that takes too long is cancelled, so that it holds neither a thread nor a processor."""

import copy

import pytest
from django.db import OperationalError, connections

from siths_portal.lib.database.statement_limit import limit_statements


@pytest.mark.django_db(transaction=True)
def test_a_statement_that_takes_too_long_is_cancelled() -> None:
    other = connections["default"].copy("default")
    other.settings_dict = copy.deepcopy(other.settings_dict)
    before = connections["default"]
    connections["default"] = other
    try:
        limit_statements(0.05)
        with other.cursor() as cursor, pytest.raises(OperationalError, match="statement timeout"):
            cursor.execute("SELECT pg_sleep(60)")
    finally:
        other.close()
        connections["default"] = before
