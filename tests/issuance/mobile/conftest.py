"""Fixtures of mobile eIDs: the maker of devices whose attestations are accepted, and a holder with a card on level 3."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def maker(settings: Any, tmp_path: Path) -> Any:
    """A maker of devices, whose root the settings name. No call waits for the worker."""
    from tests.issuance.mobile.makers import accepted_maker

    return accepted_maker(settings, tmp_path)


@pytest.fixture
def card(world: Any, demo_pki: Any) -> Any:
    """A card in use, of Elin at the region."""
    from issuance.authz import system
    from issuance.imports.services import migration
    from tests.issuance.migrated import CA, migrated_card

    post = world.post(given_name="Elin", surname="Olsson")
    return migration.register_migrated_card(actor=system("migration"), card=migrated_card(post), ca=CA)


@pytest.fixture
def mails() -> Iterator[Any]:
    """A mail server in memory."""
    from tests.issuance.register_care.works import mail_server

    with mail_server() as server:
        yield server
