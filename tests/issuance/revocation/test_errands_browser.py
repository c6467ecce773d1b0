"""Errands in a row by keyboard and scanner, with the keys of each kind counted: six, or fifty with SITHS_LONG=1 (`make soak`).

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
from issuance.people.models.persons import PersonIdentifier
from issuance.records.models.events import Event
from issuance.stock.models import StockCard, StockCount
from siths_portal.lib import clock
from tests.browser import look
from tests.issuance.revocation.test_live import PROOF, Keys
from tests.issuance.search.test_browser import desk
from tests.issuance.stock.stocks import received_bundle, with_stock

KINDS = ("look up", "revoke", "check the card", "revoke everything", "count the stock", "print the history")
ERRANDS = 50 if os.environ.get("SITHS_LONG") else len(KINDS)
MOST_TABS, IN_STOCK = 90, 2


def kind_of(number: int) -> str:
    return KINDS[number % len(KINDS)]


@pytest.fixture
def cards(world: Any) -> list[Carrier]:
    """A card for each errand, which waits to be activated; a second one of whom loses everything."""
    found = []
    for number in range(ERRANDS):
        post = world.post()
        if kind_of(number) == "revoke everything":
            world.order(post)
        pk = world.order(post).carrier_id
        serial = f"97521000000000{1000 + 7 * number:05d}"
        Carrier.objects.filter(pk=pk).update(state="sent", sent_at=clock.now(), card_serial=serial)
        found.append(Carrier.objects.get(pk=pk))
    return found


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.usefixtures("authorities")
def test_errands_in_a_row(world: Any, portal: str, browser: Browser, cards: list[Carrier]) -> None:
    with_stock(world)
    received_bundle(world, IN_STOCK)
    counted: dict[str, Counter[int]] = {kind: Counter() for kind in KINDS}
    with desk(browser, portal, world.officer()) as page:
        page.clock.install()
        page.goto(portal)
        page.wait_for_load_state("load")
        for number, card in enumerate(cards):
            kind = kind_of(number)
            keys = Keys(page)
            scan(page, card.card_serial)
            expect(page).to_have_url(f"{portal}{reverse('person', args=[card.person_id])}?barare={card.pk}")
            page.wait_for_load_state("load")
            if kind in WORK:
                WORK[kind](keys, card)
            counted[kind][keys.count] += 1
    for kind, counts in counted.items():
        print(f"{kind}: {sum(counts.values())} errands, a scan and {dict(sorted(counts.items()))} keys")
    of_kind = {kind: {card.person_id for number, card in enumerate(cards) if kind_of(number) == kind} for kind in KINDS}
    ended = Carrier.objects.filter(state="revoked")
    assert set(ended.values_list("person", flat=True)) == of_kind["revoke"] | of_kind["revoke everything"]
    assert ended.count() == len(of_kind["revoke"]) + 2 * len(of_kind["revoke everything"])
    assert not Identification.objects.exists()
    # A count like the one of a moment ago is its second click.
    assert set(StockCount.objects.values_list("expected", "found")) == {(IN_STOCK, IN_STOCK)}


def scan(page: Page, serial: str) -> None:
    """As a scanner types, and Enter. The page's clock stands still meanwhile: a busy machine would be a slow scanner."""
    page.clock.pause_at(page.evaluate("Date.now()") / 1000 + 3)
    page.keyboard.type(serial)
    page.keyboard.press("Enter")
    page.clock.resume()


def go(keys: Keys, address: str, key: str = "Tab") -> None:
    """Tab to the link, or backwards with another key, and Enter."""
    for _ in range(MOST_TABS):
        if str(keys.page.evaluate("document.activeElement.href ?? ''")).endswith(address):
            break
        keys.press(key)
    else:
        raise AssertionError(f"Tab does not reach {address}")
    with keys.page.expect_navigation():  # the page may have this address already, with other parameters
        keys.press("Enter")
    keys.page.wait_for_url(f"**{address}*")


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


def revoke_everything(keys: Keys, card: Carrier) -> None:
    go(keys, reverse("person_revoke", args=[card.person_id]))
    keys.press("Tab")
    for digit in "313":
        keys.page.wait_for_timeout(150)
        keys.press(digit)
    expect(keys.page.get_by_label("De 4 sista tecknen i personens person-id")).to_be_focused()
    keys.type(str(PersonIdentifier.objects.get(person=card.person_id).value)[-4:])
    keys.press("Enter")
    keys.page.wait_for_url("**/allt-sparrat/")
    keys.page.wait_for_load_state("load")


def print_history(keys: Keys, card: Carrier) -> None:
    """The card's history, which is among all details, on paper, and back to it."""
    history = reverse("carrier_history", args=[card.pk])
    while not keys.page.evaluate("document.activeElement.matches('.carrier-found .carrier-acts summary')"):
        keys.press("Tab")
    keys.press("Enter")
    go(keys, history)
    go(keys, "papper=1")
    expect(keys.page.get_by_text("Skriv ut med Ctrl+P")).to_be_visible()
    go(keys, history)


def count(keys: Keys, card: Carrier) -> None:
    """All cards in stock of the office."""
    office = StockCard.objects.values_list("office", flat=True)[0]
    for address in (reverse("stock"), reverse("office_stock", args=[office]), reverse("stock_count", args=[office])):
        go(keys, address, "Shift+Tab" if address == reverse("stock") else "Tab")
    area = keys.page.get_by_label("Skannade kort")
    while not area.evaluate("e => e === document.activeElement"):
        keys.press("Tab")
    for serial in Carrier.objects.filter(stock__state="in_stock").values_list("card_serial", flat=True):
        scan(keys.page, serial)
    keys.press("Control+Enter")
    expect(keys.page.get_by_text("Lagret är räknat")).to_be_visible()
    keys.page.wait_for_load_state("load")
    keys.press("Alt+s")


WORK = {
    "revoke": revoke, "check the card": check, "revoke everything": revoke_everything, "count the stock": count,
    "print the history": print_history,
}  # fmt: skip
"""How each kind of errand is done after the scan; to look up is done by the scan."""


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
