"""A card scanner in Chromium: what it reads is searched for, and carries nothing out (docs/adr/0284).

The page's clock stands still while the scanner types, so that no test depends on how quick the machine is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from issuance.activation.models import Identification
from issuance.carriers.models import Carrier
from siths_portal.lib import clock
from tests.browser import look
from tests.issuance.search.test_browser import desk

SERIALS = ("9752100000000001123", "9752100000000002345")
CHECK = """() => {
    document.querySelector('main').insertAdjacentHTML('beforeend',
        '<form id="kortkontroll"><input data-check data-scan><button>Kontrollera</button></form>');
    document.querySelector('#kortkontroll').addEventListener('submit', (event) => event.preventDefault());
}"""
"""Gives a page a field to check a card with, in a form of its own."""


@pytest.fixture
def cards(world: Any) -> list[Carrier]:
    """Two cards that wait to be activated, of two persons."""
    found = []
    for serial in SERIALS:
        carrier = world.order(world.post()).carrier
        Carrier.objects.filter(pk=carrier.pk).update(state="sent", sent_at=clock.now(), card_serial=serial)
        found.append(Carrier.objects.get(pk=carrier.pk))
    return found


@contextmanager
def standing_still(browser: Browser, portal: str, world: Any, address: str) -> Iterator[Page]:
    """The page, with a clock that only the test moves."""
    with desk(browser, portal, world.officer()) as page:
        page.clock.install()
        page.goto(f"{portal}{address}")
        page.wait_for_load_state("load")
        page.clock.pause_at(clock.now().timestamp() + 60)
        yield page


def identified(world: Any, carrier: Carrier) -> Identification:
    return Identification.objects.create(
        carrier=carrier, officer_ref=world.officer().ref, identity_document="passport", at=clock.now()
    )


def scan(page: Page, text: str) -> None:
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def opens(page: Page, portal: str, carrier: Carrier) -> None:
    expect(page).to_have_url(f"{portal}{reverse('person', args=[carrier.person_id])}?barare={carrier.pk}")
    assert not Identification.objects.exists()


def test_a_scan_on_the_persons_page_opens_the_next_person(
    world: Any, portal: str, browser: Browser, cards: list[Carrier]
) -> None:
    first, second = cards
    address = f"{reverse('person', args=[first.person_id])}?barare={first.pk}"
    with standing_still(browser, portal, world, address) as page:
        assert page.evaluate("document.activeElement.matches('a, button, summary, input[type=radio]')") is False
        scan(page, SERIALS[1])
        opens(page, portal, second)
    with standing_still(browser, portal, world, address) as page:
        page.get_by_role("link", name="Aktivera kort").focus()  # and where Enter would press something
        scan(page, SERIALS[1])
        opens(page, portal, second)


def test_a_scan_on_the_page_of_identification_identifies_nobody(
    world: Any, portal: str, browser: Browser, cards: list[Carrier]
) -> None:
    address = reverse("activate", args=[cards[0].pk])
    with standing_still(browser, portal, world, address) as page:
        passport, licence = (page.get_by_role("radio", name=name) for name in ("Pass", "Körkort"))
        page.keyboard.press("2")
        page.clock.run_for(1000)
        expect(passport).not_to_be_checked()  # the focus is in the field of the check, and not in the group (WCAG 2.1.4)
        passport.focus()
        page.clock.run_for(1000)
        page.keyboard.press("2")
        page.clock.run_for(299)
        expect(passport).not_to_be_checked()
        page.clock.run_for(1)
        expect(passport).to_be_checked()
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("Är det")
        page.keyboard.press("3")
        page.keyboard.press("Shift")
        page.keyboard.press("7")
        page.clock.run_for(1000)
        page.keyboard.press("1")
        page.clock.run_for(60)  # a slow scanner
        page.keyboard.press("Enter")
        page.clock.run_for(1000)
        expect(passport).to_be_checked()
        page.keyboard.press("1")
        page.clock.run_for(150)
        page.keyboard.press("Control")  # a hand goes on before the digit has waited
        expect(licence).to_be_checked()
        page.clock.resume()
        for scanned, answer in ((SERIALS[1], "Fel kort."), (SERIALS[0], "Rätt kort.")):
            scan(page, scanned)
            expect(page.get_by_role("status").filter(has_text=answer)).to_be_visible()
        expect(licence).to_be_checked()
        assert not Identification.objects.exists()


def test_a_scan_leaves_the_field_that_one_writes_in_and_a_dialog(
    world: Any, portal: str, browser: Browser, cards: list[Carrier]
) -> None:
    first, second = cards
    row = identified(world, first)
    with standing_still(browser, portal, world, reverse("identification_withdraw", args=[row.pk])) as page:
        field = page.get_by_label("Varför ska identifieringen tas tillbaka?")
        field.fill("Fel kort")
        page.evaluate(CHECK)
        scan(page, SERIALS[0])
        expect(page.locator("[data-check]")).to_have_value(SERIALS[0])
        page.evaluate("document.querySelector('#kortkontroll').remove()")
        for keys, gap, is_scan in ((7, 8, False), (8, 36, False), (8, 34, True)):
            field.fill("Fel kort")
            page.clock.run_for(1000)
            for each in SERIALS[1][:keys]:
                page.keyboard.press(each)
                page.clock.run_for(gap)
            expect(field).to_have_value("Fel kort" if is_scan else f"Fel kort{SERIALS[1][:keys]}")
        page.keyboard.type(SERIALS[1][8:])
        expect(field).to_have_value("Fel kort")
        page.evaluate("document.querySelector('[data-session-watch]').showModal()")
        page.clock.run_for(1000)
        expect(page).to_have_url(f"{portal}{reverse('person', args=[second.person_id])}?barare={second.pk}")
    with standing_still(browser, portal, world, reverse("search")) as page:
        page.evaluate("document.querySelector('[data-session-watch]').showModal()")
        scan(page, SERIALS[0])
        expect(page).to_have_url(f"{portal}{reverse('person', args=[first.person_id])}?barare={first.pk}")


def test_the_next_scan_after_a_search_by_name(world: Any, portal: str, browser: Browser, cards: list[Carrier]) -> None:
    for name in ("Anna", "Bo"):
        world.post(surname="Eklund", given_name=name)
    with standing_still(browser, portal, world, reverse("search")) as page:
        scan(page, "eklund")
        expect(page.get_by_role("heading", name="2 träffar")).to_be_visible()
        expect(page.locator("#id_text")).to_be_focused()
        page.wait_for_load_state("load")
        scan(page, SERIALS[0])
        opens(page, portal, cards[0])


def test_a_scan_replaces_what_the_search_field_holds(world: Any, portal: str, browser: Browser, cards: list[Carrier]) -> None:
    for end in ("Enter", "Tab"):
        with standing_still(browser, portal, world, reverse("search")) as page:
            page.locator("#id_text").fill("OLSSON")
            page.keyboard.type(SERIALS[0])
            page.keyboard.press(end)
            opens(page, portal, cards[0])
    for came, held_up in ((4, 100), (9, 1000)):  # by a busy machine
        with standing_still(browser, portal, world, reverse("search")) as page:
            page.keyboard.type(SERIALS[1][:came])
            page.clock.run_for(held_up)
            scan(page, SERIALS[1][came:])
            opens(page, portal, cards[1])


def test_without_script_enter_shows_the_page_again(world: Any, portal: str, browser: Browser, cards: list[Carrier]) -> None:
    with desk(browser, portal, world.officer(), java_script_enabled=False) as page:
        page.goto(portal + reverse("activate", args=[cards[0].pk]))
        page.get_by_role("radio", name="Pass").focus()
        page.keyboard.press("Space")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        expect(page.get_by_role("radio", name="Pass")).to_be_checked()
        assert not Identification.objects.exists()


def test_the_pages_are_looked_at(world: Any, portal: str, browser: Browser, cards: list[Carrier]) -> None:
    row = identified(world, cards[0])
    person = reverse("person", args=[cards[0].person_id])
    with desk(browser, portal, world.officer()) as page:
        for name, address in (
            ("scanner-person", f"{person}?barare={cards[0].pk}"),
            ("withdrawal", reverse("identification_withdraw", args=[row.pk])),
            ("logged-in", f"{reverse('login')}?next=/sok/"),
        ):
            page.goto(portal + address)
            look(page, name)
        page.goto(portal + reverse("identification_withdraw", args=[row.pk]))
        page.get_by_role("button", name="Ta tillbaka identifieringen").click()
        expect(page.get_by_role("alert")).to_be_focused()
        look(page, "withdrawal-error")
        page.get_by_label("Varför ska identifieringen tas tillbaka?").fill("Fel kort skannades.")
        page.get_by_role("button", name="Ta tillbaka identifieringen").click()
        expect(page.get_by_text("Identifieringen är återtagen.")).to_be_visible()
        Carrier.objects.filter(pk=cards[0].pk).update(state="revoked", ended_at=clock.now(), revocation_reason="replaced")
        page.goto(f"{portal}{person}?barare={cards[0].pk}")
        expect(page.get_by_text("Kortet spärrades")).to_be_visible()
        look(page, "revoked-card")
