"""Fixtures of the PKI API's tests: the API face in this process, and the same on the wire as the supplier API's tests have it."""

import contextlib
import threading
from collections.abc import Iterator

import pytest

from tests.issuance.suppliers.api.conftest import running_stage
from tests.pki_worker import pki_worker, pytest_runtest_teardown, start_worker, worker

__all__ = ["pki_worker", "pytest_runtest_teardown", "running_stage", "start_worker", "worker"]


@pytest.fixture
def api(demo_pki) -> Iterator[object]:
    """The API face in this process, over the demo's CAs; nobody signs."""
    from siths_portal.lib.rest import throttles
    from tests.access.faces import face
    from tests.pki.clients.service import Api

    throttles._budgets.clear()  # in one minute clients of many tests bear the same name
    with face("api", MTLS_CERTIFICATE_HEADER="X-Client-Certificate", CERTIFICATE_WAIT_SECONDS=0):
        yield Api(demo_pki)


@pytest.fixture
def signer(api, settings) -> Iterator[None]:
    """What the pki worker does, in a thread, and requests that wait for it."""
    from django.db import connection

    from pki.issuing import signing

    end = threading.Event()

    def work() -> None:
        with contextlib.closing(connection):
            while not end.wait(0.02):
                signing.sign_reserved()

    thread = threading.Thread(target=work)
    thread.start()
    settings.CERTIFICATE_WAIT_SECONDS = 60
    yield
    end.set()
    thread.join()


@pytest.fixture
def a(api):
    """A service that may do everything with function certificates."""
    return api.service("a", function="issue revoke read")


@pytest.fixture
def api_environment() -> dict[str, str]:
    """What the face on the wire has in its environment; a file may have its own."""
    return {}


@pytest.fixture
def stage(running_stage, demo_pki, api_environment):
    """The face on the wire, with the services `a`, which may do everything with function certificates, and `b`."""
    from pki.clients.permissions import grant_client
    from tests.pki.clients.service import NAMES

    for left in running_stage.faults.iterdir():
        left.unlink()  # of a test that failed
    running_stage.need_api(**api_environment)
    running_stage.register(running_stage.entry("a", "a", kind="service"), running_stage.entry("b", "b", kind="service"))
    rights = ["issue", "revoke", "read"]
    grant_client(client_ref="a", ca="function", profile="function", rights=rights, names=NAMES, actor_ref="system:test")
    return running_stage
