"""Fixtures of the tests of crediting."""

import pytest


@pytest.fixture
def issued(page_world, facts):
    """Invoice 2023-000001: 3 cards of 589 and 2 of 689 at Kontor A, 7 subscriptions."""
    from billing.service import run_month
    from tests.billing.facts import local
    from tests.billing.world import APRIL, REGION, customer, made_once, slide_prices

    def make():
        slide_prices()
        customer(REGION, name="Västra Götalandsregionen", organisation_number="2329990010")
        office = facts.office("a", "Kontor A")
        facts.card(REGION, office, "589", local(2023, 4, 12), n=3)
        facts.card(REGION, office, "689", local(2023, 4, 13), n=2)
        facts.count("2023-04", REGION, "Partille kommun", 7)
        run_month(APRIL, actor_ref="user:test", issue=True)

    made_once("one issued with files", facts, make)
    return page_world
