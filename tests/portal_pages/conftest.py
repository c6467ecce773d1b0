"""Fixtures of the pages' tests: the small region of `tests.issuance`, the CAs, and a browser."""

from tests.browser import browser
from tests.issuance.conftest import authorities, outside, world

__all__ = ["authorities", "browser", "outside", "world"]
