"""The simulator of the catalogue and the person register, running for a module of tests."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The directory simulator over the contract's people and organisations."""
    from tests.contracts import cases, peers

    with peers.simulator(tmp_path_factory.mktemp("directory"), cases.PEOPLE, cases.ORGANISATIONS) as running:
        yield running
