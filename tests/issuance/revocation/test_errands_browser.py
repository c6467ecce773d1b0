"""Errands in a row by keyboard and scanner, with the keys of each kind counted: five, or fifty with SITHS_LONG=1 (`make soak`).

No pointer is used and no address typed: each errand begins with a scan at the page where the last one ended.
"""

import os
from collections import Counter
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from issuance.activation.models import Identification
from issuance.authz import Role
from issuance.carriers.models import Carrier
from issuance.records.models.events import Event
from siths_portal.lib import clock
from tests.browser import look
from tests.issuance.revocation.test_live import PROOF, Keys
from tests.issuance.search.test_browser import desk

ERRANDS = 50 if os.environ.get("SITHS_LONG") else 5
KINDS = ("look up", "revoke", "check the card", "revoke", "look up")
MOST_TABS = 90


@pytest.fixture
def cards(world: Any) -> list[Carrier]:
    """A card for each errand, which waits to be activated."""
    found = []
    for number in range(ERRANDS):
        pk = world.order(world.post()).carrier_id
        serial = f"97521000000000{1000 + 7 * number:05d}"
        Carrier.objects.filter(pk=pk).update(state="sent", sent_at=clock.now(), card_serial=serial)
        found.append(Carrier.objects.get(pk=pk))
    return found


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_errands_in_a_row(world: Any, portal: str, browser: Browser, cards: list[Carrier]) -> None:
    counted: dict[str, Counter[int]] = {kind: Counter() for kind in KINDS}
    with desk(browser, portal, world.officer()) as page:
        page.clock.install()
        page.goto(portal)
        page.wait_for_load_state("load")
        for number, card in enumerate(cards):
            kind = KINDS[number % len(KINDS)]
            keys = Keys(page)
            scan(page, card.card_serial)
            expect(page).to_have_url(f"{portal}{reverse('person', args=[card.person_id])}?barare={card.pk}")
            page.wait_for_load_state("load")
            if kind == "revoke":
                revoke(keys, card)
            elif kind == "check the card":
                check(keys, card)
            counted[kind][keys.count] += 1
    for kind, counts in counted.items():
        print(f"{kind}: {sum(counts.values())} errands, a scan and {dict(sorted(counts.items()))} keys")
    revoked = [card.pk for number, card in enumerate(cards) if KINDS[number % len(KINDS)] == "revoke"]
    assert set(Carrier.objects.filter(state="revoked").values_list("pk", flat=True)) == set(revoked)
    assert Carrier.objects.filter(state="sent").count() == ERRANDS - len(revoked)
    assert not Identification.objects.exists()


def scan(page: Page, serial: str) -> None:
    """As a scanner types, and Enter. The page's clock stands still meanwhile: a busy machine would be a slow scanner."""
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 3)
    page.keyboard.type(serial)
    page.keyboard.press("Enter")
    page.clock.resume()


def go(keys: Keys, address: str) -> None:
    """Tab to the link, and Enter."""
    for _ in range(MOST_TABS):
        if str(keys.page.evaluate("document.activeElement.href ?? ''")).endswith(address):
            break
        keys.press("Tab")
    else:
        raise AssertionError(f"Tab does not reach {address}")
    keys.press("Enter")
    keys.page.wait_for_url(f"**{address}")
    keys.page.wait_for_load_state("load")


def revoke(keys: Keys, card: Carrier) -> None:
    go(keys, reverse("carrier_revoke", args=[card.pk]))
    keys.press("Tab")
    for digit in "111":
        keys.page.wait_for_timeout(150)  # a hand's pace: no need to wait until the digit has picked
        keys.press(digit)
    expect(keys.page.get_by_label(PROOF)).to_be_focused()
    keys.type(card.card_serial[-4:])
    keys.press("Enter")
    keys.page.wait_for_url("**/sparrad/")
    keys.page.wait_for_load_state("load")


def check(keys: Keys, card: Carrier) -> None:
    """The scan of a card on the page of identification goes to its check field; Alt+S leads to the next person."""
    go(keys, reverse("activate", args=[card.pk]))
    scan(keys.page, card.card_serial)
    expect(keys.page.get_by_role("status").filter(has_text="Rätt kort")).to_be_visible()
    for _ in range(MOST_TABS):
        if keys.page.evaluate("!document.activeElement.matches('input')"):
            break
        keys.press("Tab")
    keys.press("Alt+s")
    expect(keys.page.locator("#nasta-person")).to_be_focused()


def test_who_only_revokes_confirms_a_scanned_card_by_three_keys_and_one(
    world: Any, portal: str, browser: Browser, cards: list[Carrier]
) -> None:
    """A scan from any page leads to the card, and revokes nothing: neither at the questions nor at the last one."""
    counted: list[tuple[int, int]] = []
    with desk(browser, portal, world.officer(role=Role.REVOKER)) as page:
        page.clock.install()
        page.goto(portal)
        page.wait_for_load_state("load")
        for number, card in enumerate(cards[:3]):
            scan(page, card.card_serial)
            page.wait_for_url(f"**{reverse('carrier_revoke', args=[card.pk])}?sokning=*")
            page.wait_for_load_state("load")
            if number == 0:
                look(page, "revoke-scanned")
                with page.expect_navigation():  # to the same card by a new search
                    scan(page, card.card_serial)
                page.wait_for_load_state("load")
            keys = Keys(page)
            keys.press("Tab")
            for digit in "11":
                page.wait_for_timeout(150)
                keys.press(digit)
            expect(page.get_by_role("heading", level=1, name="Vill du spärra kortet")).to_be_focused()
            to_page = keys.count
            if number == 1:  # another card comes before the last yes
                scan(page, cards[3].card_serial)
                page.wait_for_url(f"**{reverse('carrier_revoke', args=[cards[3].pk])}?sokning=*")
                assert not Carrier.objects.filter(state="revoked", pk__in=[card.pk, cards[3].pk]).exists()
                continue
            if number == 0:
                look(page, "revoke-last-question")
            keys.press("Delete")
            page.wait_for_url("**/sparrad/")
            counted.append((to_page, keys.count - to_page))
    print(f"keys of Spärr from a scanned card: {counted}")
    assert set(counted) == {(3, 1)}
    assert set(Carrier.objects.filter(state="revoked")) == {cards[0], cards[2]}
    assert set(Event.objects.filter(action="carrier.revoked").values_list("facts__request_channel", flat=True)) == {"phone"}
