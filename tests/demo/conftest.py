"""Fixtures of the demo's tests."""

from tests.issuance.conftest import authorities, outside, world

__all__ = ["authorities", "outside", "world"]
