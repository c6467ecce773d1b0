"""Fixtures of billing's tests. Nothing of Django is imported before it is set up, so the parts are in `world`."""

import pytest


@pytest.fixture(scope="session")
def pdf_children():
    """The children that make PDFs for these tests: a run has one that an earlier run left, since to start one takes long."""
    from tests.billing.documents.kept_renderer import Children

    made = Children()
    yield made
    made.end()


@pytest.fixture
def facts(transactional_db, pdf_children, monkeypatch):
    """An issuing side without facts, connected, and the clock on 2 May 2023, 06:00 in Stockholm.

    At the end a receiver reads the e-invoices that the test has stored, unless the test has tampered with rows.
    """
    from billing.ports import IssuanceFacts
    from siths_portal.lib import clock, ports
    from tests.billing import world
    from tests.billing.documents import receiver
    from tests.billing.facts import Facts

    monkeypatch.setattr("siths_portal.lib.pdf.rendering.PdfRenderer", pdf_children.renderer)
    real = ports.get(IssuanceFacts)
    world.tampered.clear()
    with clock.moved_to(world.IN_MAY):
        yield Facts().connect()
    ports.connect(IssuanceFacts, real)
    assert world.tampered or receiver.misread_documents() == []


@pytest.fixture
def woken(monkeypatch):
    """The tasks that were woken. Nobody runs them until the test does, as if Redis had lost them all."""
    from siths_portal.lib.processes import jobs
    from tests.billing.woken import Woken

    found = Woken()
    monkeypatch.setattr(jobs, "_wake", lambda name, _queue, ids: found.append((name, ids)))
    return found


@pytest.fixture
def prices(facts):
    """The slides' prices."""
    from tests.billing import world

    world.slide_prices()


@pytest.fixture
def sketches(facts, prices):
    """Both customers of the slides with their cards and subscriptions of April 2023."""
    from tests.billing import world

    world.both_sketches(facts)
    return facts


@pytest.fixture
def small_sketches(facts, prices):
    """The same with a fiftieth of the cards, for what does not depend on how many they are."""
    from tests.billing import world

    world.both_sketches(facts, part=50)
    return facts


@pytest.fixture
def page_world(facts):
    """The parties as organisations of the portal, with people who are logged in; the outside is in memory."""
    from tests.billing.page_world import PageWorld
    from tests.issuance.outside import Outside, connected
    from tests.issuance.world import World

    with connected(Outside()) as outside:
        yield PageWorld(World(outside))
