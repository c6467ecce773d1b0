"""Fixtures of the supplier API's tests. Models are imported inside: this file is read before Django is set up."""

import pytest

from tests.pki_worker import pki_worker, pytest_runtest_teardown, start_worker, worker

__all__ = ["pki_worker", "pytest_runtest_teardown", "start_worker", "worker"]


@pytest.fixture(scope="session")
def running_stage(django_db_setup):
    """The API face, nginx and the directory, running for all tests of this process."""
    from tests.issuance.suppliers.api.stage import stage

    with stage() as made:
        yield made


@pytest.fixture
def stage(running_stage, transactional_db):
    """The running face, with two registered suppliers, `a` and `b`, and a service `s`, each with a certificate."""
    from issuance.organisations.ports import OrganisationDirectory
    from issuance.people.adapters.directory_json import JsonDirectory
    from issuance.people.adapters.person_register_json import JsonPersonRegister
    from issuance.people.ports import PersonRegister, StaffDirectory
    from siths_portal.lib import ports

    before = {port: ports.get(port) for port in (OrganisationDirectory, StaffDirectory, PersonRegister)}

    if "s" not in running_stage.certificates:
        running_stage.give("s", running_stage.clients_ca.issue("s"))
    for left in running_stage.faults.iterdir():
        left.unlink()  # of a test that failed
    running_stage.need_api()
    running_stage.register(
        running_stage.entry("a", "a"), running_stage.entry("b", "b"), running_stage.entry("s", "s", kind="service")
    )
    url = running_stage.neighbours()["DIRECTORY_URL"]
    for port in (OrganisationDirectory, StaffDirectory):
        ports.connect(port, JsonDirectory(url))
    ports.connect(PersonRegister, JsonPersonRegister(url))
    yield running_stage
    for port, adapter in before.items():
        ports.connect(port, adapter)


@pytest.fixture
def world(stage):
    """The organisation and its people."""
    from tests.issuance.suppliers.api.world import World

    return World(stage.people)


@pytest.fixture(scope="session")
def _paper_cards():
    return []


@pytest.fixture
def paper_card(_paper_cards):
    """Gives a card that the test has not had; the first has RSA keys, the others have P-256 keys.

    RSA keys take long to make, so the cards of earlier tests are used again.
    """
    from tests.issuance.suppliers.api.cards import PaperCard, p256_keys

    given = iter(list(_paper_cards))

    def next_card() -> PaperCard:
        made = next(given, None)
        if made is None:
            made = PaperCard(keys=p256_keys()) if _paper_cards else PaperCard()
            _paper_cards.append(made)
        return made

    return next_card


@pytest.fixture
def a(stage):
    """Supplier a on the wire."""
    return stage.client("a")


@pytest.fixture
def b(stage):
    """Supplier b on the wire."""
    return stage.client("b")
