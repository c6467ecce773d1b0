"""Fixtures of issuance. What needs Django is imported inside, since pytest loads this file before Django is set up."""

import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from tests.browser import browser

__all__ = ["browser"]


@pytest.fixture(autouse=True)
def use_is_written_rarely() -> Iterator[None]:
    """That a session is used is written each half minute: the queries of a page would hang on how long its test has taken."""
    from authn.services import sessions

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sessions, "TOUCH_SECONDS", 300)  # no test takes longer
        yield


@pytest.fixture(autouse=True)
def the_app_waits_for_nobody() -> Iterator[None]:
    """In the test process a call of the eID app waits for no `pki` worker: most tests do the worker's part after it."""
    from django.conf import settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "EID_APP_WAIT_SECONDS", 0)
        yield


@pytest.fixture(autouse=True)
def one_printed_receipt() -> Iterator[None]:
    """All receipts are on the pages of the first that this process printed: tests of receipts override this."""
    from siths_portal.lib.pdf import rendering
    from tests.issuance import activated

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rendering, "render", activated.printed_once)
        yield


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[float]:
    """For how long each answer was held back; here none is, but it is noted."""
    from siths_portal.lib.http import answer_times

    settings.ANSWER_STEP_SECONDS = 0.025
    asked: list[float] = []
    monkeypatch.setattr(answer_times, "time", SimpleNamespace(perf_counter=time.perf_counter, sleep=asked.append))
    return asked


@pytest.fixture
def outside() -> Iterator[Any]:
    """Both outside systems, connected instead of the adapters."""
    from tests.issuance.outside import Outside, connected

    with connected(Outside()) as outside:
        yield outside


@pytest.fixture
def world(transactional_db: None, outside: Any) -> Any:
    """The small region."""
    from tests.issuance.world import World

    return World(outside)


@pytest.fixture
def authorities(transactional_db: None) -> None:
    """The CAs that issuance plans certificates with."""
    from tests.issuance.authorities import make_authorities

    make_authorities()


@pytest.fixture
def visits_without_limit(settings: Any) -> None:
    """For long forms: a person may activate one card a second, and these have more visits than that."""
    settings.VISITS_PER_MINUTE_BY_PERSON = settings.VISITS_PER_MINUTE_BY_ORGANISATION = settings.VISITS_PER_MINUTE = 1_000_000
