"""Fixtures of the eID app API's tests: a real portal process and a real `pki` worker. Models are imported inside."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.issuance.conftest import outside, world
from tests.pki_worker import pki_worker, pytest_runtest_teardown, start_worker, worker

__all__ = ["outside", "pki_worker", "pytest_runtest_teardown", "start_worker", "worker", "world"]


@pytest.fixture(scope="session")
def portals(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The portal process of these tests, started again when it was killed."""
    from tests.issuance.activation.api.wire import Portals

    with contextlib.closing(Portals(tmp_path_factory.mktemp("eidapp"))) as made:
        yield made


@pytest.fixture
def portal(portals: Any, world: Any) -> Any:
    """The running portal, with the small region in its database."""
    portals.ensure()
    return portals
