"""Fixtures of log-in: the small region of issuance's tests, whose people log in; and both processes."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.issuance.conftest import outside, world

__all__ = ["outside", "world"]


@pytest.fixture(scope="module")
def stage(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The portal and the identity provider, running for all tests of a module."""
    from tests.authn.stage import stage as running

    with running(tmp_path_factory.mktemp("stage")) as made:
        yield made


@pytest.fixture
def clerk(world: Any) -> Any:
    """An ID-administrator of the region."""
    from issuance.people.models.persons import Person

    return Person.objects.get(pk=world.officer().person_id)
