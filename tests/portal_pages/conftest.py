"""Fixtures of the pages' tests: the small region of `tests.issuance`, the CAs, and a browser."""

from collections.abc import Iterator

import pytest

from tests.browser import browser
from tests.issuance.conftest import authorities, outside, world

__all__ = ["authorities", "browser", "outside", "world"]


@pytest.fixture(autouse=True)
def use_is_written_rarely() -> Iterator[None]:
    """That a session is used is written each half minute: the queries of a page would hang on how long its test has taken."""
    from authn.services import sessions

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "TOUCH_SECONDS", 300)  # no test takes longer
        yield
