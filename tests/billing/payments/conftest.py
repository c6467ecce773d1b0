"""Fixtures of the tests of payments."""

import pytest


@pytest.fixture
def issued(page_world, facts):
    """Invoices 2023-000001 (Demo kommun) and 2023-000002 (Västra Götalandsregionen), 350 kronor each, due on 2023-06-01."""
    from tests.billing.invoices.test_pages import make_few
    from tests.billing.world import made_once

    made_once("few issued", facts, lambda: make_few(facts))
    return page_world
