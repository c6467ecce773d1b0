"""The world of the access matrix, made once a process: building it takes longer than asking a thousand questions."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.browser import browser

__all__ = ["browser"]


@pytest.fixture(scope="module")
def access(django_db_setup: None, django_db_blocker: Any) -> Iterator[Any]:
    """The world, committed; the database is emptied after the module."""
    from tests.access.world import AccessWorld
    from tests.conftest import flush_database
    from tests.first_rows import first_rows
    from tests.issuance.outside import Outside, connected
    from tests.issuance.world import World

    def make() -> dict[str, Any]:
        with connected(Outside()) as outside:
            return {"access": AccessWorld(World(outside))}

    with django_db_blocker.unblock():
        try:
            world = first_rows("access", "", make)["access"]
            with connected(world.world.outside):
                yield world
        finally:
            flush_database()
