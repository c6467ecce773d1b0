"""Fixtures of issuance. What needs Django is imported inside, since pytest loads this file before Django is set up."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def outside() -> Iterator[Any]:
    """Both outside systems, connected instead of the adapters."""
    from issuance.people.ports import PersonRegister, StaffDirectory
    from siths_portal.lib import ports
    from tests.issuance.outside import Outside

    before = {port: ports.get(port) for port in (StaffDirectory, PersonRegister)}
    system = Outside()
    for port in before:
        ports.connect(port, system)
    yield system
    for port, adapter in before.items():
        ports.connect(port, adapter)


@pytest.fixture
def world(transactional_db: None, outside: Any) -> Any:
    """The small region."""
    from tests.issuance.world import World

    return World(outside)


@pytest.fixture
def authorities(transactional_db: None) -> None:
    """The CAs that issuance plans certificates with."""
    from tests.issuance.authorities import make_authorities

    make_authorities()
