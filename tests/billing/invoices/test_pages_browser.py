"""The invoice pages in a real browser: clean for axe, whole at 320 pixels, complete in print."""

import datetime as dt

import pytest
from playwright.sync_api import Browser, Page, expect

from issuance.authz import Role
from siths_portal.lib import clock
from tests.axe import run_axe
from tests.billing.facts import Facts
from tests.billing.page_world import PageWorld
from tests.billing.world import REGION, sketches_issued
from tests.browser import PICTURES, browser, collect_faults
from tests.portal import session_cookie

__all__ = ["browser"]  # a fixture

pytestmark = pytest.mark.django_db(transaction=True)
PAGES = {
    "list": "/fakturor/",
    "filtered": "/fakturor/?manad=2023-04",
    "wrong-filter": "/fakturor/?manad=2019-01",
    "invoice": "/fakturor/2023-000002/",
    "line": "/fakturor/2023-000002/rad/4/",
    "line-end": "/fakturor/2023-000002/rad/4/?efter=99999999",
    "running": "/fakturor/lopande/",
    "running-empty": f"/fakturor/lopande/?kund={REGION}",
    "hidden": "/fakturor/2029-000001/",
    "runs": "/fakturor/manadskorning/",
    "run": "/fakturor/manadskorning/2023-04/",
    "run-customers": "/fakturor/manadskorning/2023-04/kunder/",
    "payments": "/fakturor/betalningar/",
    "payment-file": "/fakturor/betalningar/fil/",
    "overdue": "/fakturor/forfallna/",
    "dispute": "/fakturor/2023-000002/tvist/",
    "draft": f"/fakturor/manadskorning/2023-04/{REGION}/",
}
WIDTHS = (1440, 390, 320)


def test_every_page_is_clean_and_fits(page_world: PageWorld, facts: Facts, browser: Browser, portal: str) -> None:
    """Then from the list to an event and back by keyboard, and an invoice on paper: with both sketches issued, which stay."""
    sketches_issued(facts)
    person = page_world.person(Role.FINANCE_ADMIN)
    with clock.moved_to(dt.datetime.now(dt.UTC)):  # the portal uses the real clock; these tests set theirs to 2023
        cookie = session_cookie(person, portal)
    context = browser.new_context(viewport={"width": WIDTHS[0], "height": 900})
    context.add_cookies([cookie])  # type: ignore[list-item]
    page = context.new_page()
    every_page_is_clean_and_fits(page, portal)
    by_keyboard_from_the_list_to_an_event_and_back(page, portal)
    an_invoice_prints_whole_without_what_is_for_the_screen(page, portal)
    context.close()


def every_page_is_clean_and_fits(page: Page, url: str) -> None:
    said = collect_faults(page.context)
    for name, path in PAGES.items():
        page.goto(url + path)
        assert page.url == url + path, "logged in"
        assert page.locator("h1").count() == 1, name
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            results = run_axe(page)
            assert results.violations_count == 0, f"{name} at {width}: {results.generate_report()}"
            assert page.evaluate("document.documentElement.scrollWidth") == width, f"{name} is wider than {width}"
            if width == 1440:
                frames = page.locator(".table-frame").evaluate_all("all => all.map(e => e.scrollWidth - e.clientWidth)")
                assert not any(frames), f"{name}: a column is hidden at full width"
            if PICTURES:
                page.screenshot(path=f"{PICTURES}/invoices-{name}-{width}.png", full_page=True)
        page.set_viewport_size({"width": WIDTHS[0], "height": 900})
    assert [line for line in said if "422" not in line and "404" not in line] == []


def by_keyboard_from_the_list_to_an_event_and_back(page: Page, url: str) -> None:
    page.goto(f"{url}/fakturor/")
    page.get_by_label("Månad").focus()
    page.keyboard.type("April")
    page.keyboard.press("Tab")  # to the payment
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/fakturor/?kund=&manad=2023-04&betalning=&bestallning=")
    page.get_by_role("link", name="2023-000002").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/fakturor/2023-000002/")
    page.get_by_role("row", name="Artikel 689, Kontor B").get_by_role("link").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/rad/4/")
    page.get_by_role("link", name="Nästa sida").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/rad/4/?efter=*")
    page.get_by_role("link", name="Från början").focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/rad/4/")
    page.get_by_label("Du är här").get_by_role("link", name="2023-000002").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Faktura 2023-000002")


def an_invoice_prints_whole_without_what_is_for_the_screen(page: Page, url: str) -> None:
    page.goto(f"{url}/fakturor/2023-000002/")
    page.emulate_media(media="print")
    assert page.get_by_text("Att betala", exact=True).is_visible()
    assert not page.get_by_role("link", name="Inställningar").is_visible()
    assert page.locator(".functions:visible").count() == 0
    page.set_viewport_size({"width": 718, "height": 1000})  # A4 less its margins
    frame = page.locator(".table-frame").first.evaluate("e => [e.scrollWidth, e.clientWidth]")
    assert frame[0] <= frame[1], "no column is cut off"
