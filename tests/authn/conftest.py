"""Fixtures of log-in: the small region of issuance's tests, whose people log in."""

from tests.issuance.conftest import outside, world

__all__ = ["outside", "world"]
