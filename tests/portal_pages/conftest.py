"""Fixtures of the pages' tests: the small region of `tests.issuance`, the CAs, and a browser."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from siths_portal.lib import answer_times
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


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[float]:
    """For how long each answer was held back; here none is, but it is noted."""
    settings.ANSWER_STEP_SECONDS = 0.025
    asked: list[float] = []
    monkeypatch.setattr(answer_times, "time", SimpleNamespace(perf_counter=time.perf_counter, sleep=asked.append))
    return asked
