"""Fixtures of the supplier API's tests. Models are imported inside: this file is read before Django is set up."""

import pytest


@pytest.fixture(scope="session")
def running_stage(django_db_setup):
    """The API face, nginx and the directory, running for all tests of this process."""
    from tests.supplier.stage import stage

    with stage() as made:
        yield made


@pytest.fixture
def stage(running_stage, transactional_db):
    """The running face, with two registered suppliers, `a` and `b`, and a service `s`, each with a certificate."""
    from issuance.adapters.directory_json import JsonDirectory
    from issuance.adapters.person_register_json import JsonPersonRegister
    from issuance.ports import PersonRegister, StaffDirectory
    from siths_portal import wiring
    from siths_portal.lib import ports

    if "s" not in running_stage.certificates:
        running_stage.give("s", running_stage.clients_ca.issue("s"))
    if running_stage.api is None or running_stage.api.poll() is not None:
        running_stage.start_api()
    running_stage.register(
        running_stage.entry("a", "a"), running_stage.entry("b", "b"), running_stage.entry("s", "s", kind="service")
    )
    url = running_stage.neighbours()["DIRECTORY_URL"]
    ports.connect(StaffDirectory, JsonDirectory(url))
    ports.connect(PersonRegister, JsonPersonRegister(url))
    yield running_stage
    wiring.connect()


@pytest.fixture
def world(stage):
    """The organisation and its people."""
    from tests.supplier.world import World

    return World(stage.people)


@pytest.fixture
def a(stage):
    """Supplier a on the wire."""
    return stage.client("a")


@pytest.fixture
def b(stage):
    """Supplier b on the wire."""
    return stage.client("b")


@pytest.fixture
def start_worker(stage, demo_pki):
    """Starts the pki worker, which alone signs, in place of the one before; it is ended after the test."""
    import contextlib
    import sys

    from tests.supplier.stage import process

    with contextlib.ExitStack() as stack:

        def start(**env: str) -> None:
            stack.close()
            log = stage.folder / "worker.log"
            log.unlink(missing_ok=True)
            command = [
                sys.executable, "-m", "celery", "-A", "siths_portal.celery", "worker", "-Q", "pki", "-P", "threads", "-c", "4",
                "--without-gossip", "--without-mingle", "--loglevel", "INFO",
            ]  # fmt: skip
            stack.enter_context(process(command, log, lambda: " ready." in log.read_text(), **env))

        yield start


@pytest.fixture
def worker(start_worker):
    """A running pki worker over the demo's hierarchy."""
    start_worker()
