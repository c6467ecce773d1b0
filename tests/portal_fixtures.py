"""Fixtures: the portal process of this test process (ADR 0206).

What needs Django is imported inside, since pytest loads this file before Django is set up.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def kept_portal(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The portal process of this test process."""
    from tests.lib.faces import KeptPortal

    with contextlib.closing(KeptPortal(tmp_path_factory.mktemp("portal"))) as kept:
        yield kept


@pytest.fixture(scope="module")
def portal(kept_portal: Any) -> str:
    """The address of a running portal, which works in the tests' database."""
    return str(kept_portal.url())
