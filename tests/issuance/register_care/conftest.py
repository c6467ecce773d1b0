"""No waiting between requests to the register, and a mail server in memory."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(autouse=True)
def at_once(settings: Any) -> None:
    settings.REGISTER_CARE_READS_PER_SECOND = 0


@pytest.fixture
def mails() -> Iterator[Any]:
    from tests.issuance.register_care.works import mail_server

    with mail_server() as server:
        yield server
