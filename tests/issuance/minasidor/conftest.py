"""Fixtures of Mina sidor: this process serves it, and a holder has an old card in use and one that is ordered."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass
class Holding:
    """A holder's carriers."""

    person: Any
    active: Any
    ordered: Any


@pytest.fixture
def mina(world: Any) -> Iterator[None]:
    """This process serves Mina sidor."""
    from tests.issuance.minasidor.mina import mina_sidor

    with mina_sidor():
        yield


@pytest.fixture
def holding(world: Any, demo_pki: Any, mina: None) -> Holding:
    """Elin, with a card in use and an ordered one."""
    from issuance.authz import system
    from issuance.imports.services import migration
    from tests.issuance.migrated import CA, migrated_card

    post = world.post(given_name="Elin", surname="Olsson")
    active = migration.register_migrated_card(actor=system("migration"), card=migrated_card(post), ca=CA)
    return Holding(post.person, active, world.order(post).carrier)


@pytest.fixture
def maker(settings: Any, tmp_path: Path) -> Any:
    """A maker of devices, whose root the settings name."""
    from tests.issuance.mobile.makers import accepted_maker

    return accepted_maker(settings, tmp_path)
