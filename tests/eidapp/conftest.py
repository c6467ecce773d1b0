"""Fixtures of the eID app API's tests: a real portal process and a real `pki` worker. Models are imported inside."""

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.issuance.conftest import outside, world

__all__ = ["outside", "world"]


@pytest.fixture(scope="session")
def portals(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The portal process of these tests, started again when it was killed."""
    from tests.eidapp.wire import Portals

    with contextlib.closing(Portals(tmp_path_factory.mktemp("eidapp"))) as made:
        yield made


@pytest.fixture
def portal(portals: Any, world: Any) -> Any:
    """The running portal, with the small region in its database."""
    portals.ensure()
    return portals


@pytest.fixture
def start_worker(demo_pki: Any, tmp_path: Any) -> Iterator[Callable[..., Any]]:
    """Starts the `pki` worker, which alone opens secrets, in place of the one before; ended after the test."""
    from tests.supplier.stage import process

    with contextlib.ExitStack() as stack:

        def start(**env: str) -> Any:
            stack.close()
            log = tmp_path / "worker.log"
            log.unlink(missing_ok=True)
            command = [
                sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker", "-Q", "pki", "-P", "threads", "-c", "4",
                "--without-gossip", "--without-mingle", "--loglevel", "INFO",
            ]  # fmt: skip
            stack.enter_context(process(command, log, lambda: " ready." in log.read_text(), **(os.environ | env)))
            return log

        yield start


@pytest.fixture
def worker(start_worker: Callable[..., Any]) -> Any:
    """A running `pki` worker over the demo's hierarchy; its log."""
    return start_worker()
