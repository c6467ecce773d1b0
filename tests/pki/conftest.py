"""Fixtures of the `pki` tests. Models are imported inside: this file is read before Django is set up."""

import pytest


@pytest.fixture(scope="session")
def keys():
    """Keys of the status tests' small PKI, in a token of their own."""
    from tests.pki.status_world import make_keys

    return make_keys()


@pytest.fixture
def world(keys, transactional_db, settings, tmp_path):
    """A root and two issuing CAs with responders in this test's database, and an empty folder for published files."""
    from tests.pki.status_world import World

    settings.PKI_STATUS_DIR = tmp_path / "status"
    return World(keys)
