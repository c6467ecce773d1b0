"""Reserve cards in Chromium at a real portal: ordered, received by scanner, counted, written off; axe, both widths."""

from typing import Any

import pytest
from django.urls import reverse
from playwright.sync_api import Browser, Page, expect

from issuance.authz import Role
from issuance.offices.services import connect_office, create_office
from issuance.orders.models.orders import CardOrder
from issuance.stock.models import StockCount
from tests.e2e.hands import Both, Hands, Mouse
from tests.e2e.looking import Looker
from tests.issuance.authorities import serial_of
from tests.issuance.operators.test_browser import button, link, refused
from tests.issuance.orders.bundles import address
from tests.issuance.organisations.test_browser import told
from tests.issuance.search.test_browser import desk
from tests.issuance.search.test_scanner_browser import standing_still
from tests.issuance.stock.stocks import received_bundle, sent_bundle, states, with_stock
from tests.issuance.world import SETUP


def order(page: Page, portal: str, hands: Hands, see: Looker, world: Any) -> None:
    """The issuer orders three cards."""
    page.goto(f"{portal}{reverse('organisation', args=[world.region.pk])}")
    hands.press(page.get_by_role("link", name="Beställa bunt reservkort"))
    see.look(page, "form")
    hands.press(button(page, "Förhandsgranska"))
    refused(page, see, "form refused")
    hands.write(page.get_by_label("Antal kort"), "3")
    hands.press(button(page, "Förhandsgranska"))
    see.look(page, "preview")
    hands.press(button(page, "Beställ bunten"))
    told(page, "Bunten är beställd.")
    see.look(page, "bundle")
    hands.press(link(page, "Ta bort beställningen"))
    see.look(page, "withdraw")
    hands.press(link(page, "Tillbaka"))
    hands.press(link(page, "Organisationens buntar"))
    see.look(page, "bundles")


def scan(page: Page, *numbers: int, end: str = "Enter") -> None:
    """A scanner reads cards one after the other. The page's clock stands still, so that a slow machine types as quickly."""
    for number in numbers:
        page.keyboard.type(serial_of(number))
        page.keyboard.press(end)


def keep(page: Page, portal: str, hands: Hands, see: Looker, world: Any) -> None:
    """Who hands out cards receives two of them, misses one, counts, and writes one off."""
    page.goto(f"{portal}{reverse('stock')}")
    see.look(page, "on the way", tour="stock")
    hands.press(page.get_by_role("link", name="Kontoret tar emot bunten"))
    see.look(page, "receive")
    page.get_by_label("Skannade kort").focus()
    scan(page, 1, 2)
    expect(page.get_by_label("Skannade kort")).to_have_value(f"{serial_of(1)}\n{serial_of(2)}\n")
    hands.press(button(page, "Ta emot de skannade korten"))
    told(page, "2 kort är mottagna till lagret.")
    hands.press(button(page, "Rapportera resten som saknad"))
    told(page, "1 kort är rapporterat saknat.")
    see.look(page, "office")
    hands.press(page.get_by_role("link", name="Räkna lagret"))
    see.look(page, "count")
    page.get_by_label("Skannade kort").fill(serial_of(1))
    hands.press(button(page, "Spara räkningen"))
    told(page, "1 kort saknas.")
    page.goto(f"{portal}{reverse('office_stock', args=[world.office.pk])}")
    hands.write(page.get_by_label("Kortserienummer"), serial_of(1))
    hands.press(button(page, "Visa kortet"))
    expect(page.get_by_role("heading", name="Reservkort som slutar på")).to_be_visible()
    see.look(page, "card")
    hands.choose(page.get_by_label("Förlorat eller stulet"))
    hands.press(button(page, "Spara"))
    refused(page, see, "card refused")
    hands.write(page.get_by_label("Kortets 4 sista siffror"), serial_of(1)[-4:])
    hands.press(button(page, "Spara"))
    told(page, "Kortet är förlorat och spärrat.")
    hands.press(page.get_by_role("navigation", name="Huvudmeny").get_by_role("link", name="Reservkort"))
    see.look(page, "stock")
    hands.press(link(page, "Kontor A"))
    hands.press(page.get_by_role("link", name="Ändra gränsen för lågt lager"))
    see.look(page, "level")


@pytest.mark.usefixtures("authorities")
def test_an_issuer_orders_a_bundle(world: Any, portal: str, browser: Browser) -> None:
    with_stock(world)
    eye = Looker("reserve-cards-order")
    with desk(browser, portal, world.officer(role=Role.RESPONSIBLE_ISSUER)) as page:
        eye.follow(page.context)
        order(page, portal, Both(), eye, world)
    assert states(CardOrder.objects.get()) == [("ordered", None)] * 3


@pytest.mark.usefixtures("authorities")
def test_who_hands_out_cards_keeps_the_stock_by_scanner(world: Any, portal: str, browser: Browser) -> None:
    with_stock(world)
    other = create_office(actor=SETUP, area_id=world.area.id, name="Kontor B", invoice_comment="B")
    for organisation in (world.region, world.clinic):
        connect_office(actor=SETUP, organisation_id=organisation.id, office_id=other.id)
    address(other)
    received_bundle(world, 2, first=11, office=other)  # a stock to look at, beside the one that the scanner fills
    bundle = sent_bundle(world, 3)
    eye = Looker("reserve-cards-stock")
    with desk(browser, portal, world.officer(world.clinic, Role.RESERVE_CARD_ADMIN_LOA3)) as page:
        eye.follow(page.context)
        keep(page, portal, Mouse(), eye, world)
    assert states(bundle) == [("revoked", "lost"), ("in_stock", "missing"), ("sent", "missing")]
    assert (StockCount.objects.get().expected, StockCount.objects.get().found) == (2, 1)


@pytest.mark.usefixtures("authorities")
def test_a_scanner_fills_a_list_and_opens_a_card(world: Any, portal: str, browser: Browser) -> None:
    with_stock(world)
    first, _second = received_bundle(world, 2)
    with standing_still(browser, portal, world, reverse("stock_count", args=[world.office.pk])) as page:
        area = page.get_by_label("Skannade kort")
        area.focus()
        for end in ("Enter", "Tab"):
            scan(page, 1, end=end)
            expect(area).to_be_focused()
        expect(area).to_have_value(f"{serial_of(1)}\n" * 2)
        assert not StockCount.objects.exists()
    with standing_still(browser, portal, world, reverse("office_stock", args=[world.office.pk])) as page:
        scan(page, 1)  # from everywhere on the page
        expect(page).to_have_url(f"{portal}{reverse('stock_card', args=[first.pk])}")
