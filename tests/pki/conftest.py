"""Fixtures of the `pki` tests."""

from tests.pki.status_world import keys, world  # noqa: F401
