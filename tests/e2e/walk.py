"""The acts of the line, by whatever hands are at the desk: log-in, search, order, activation, revocation, invoice, log-out."""

import os
import re
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from siths_portal.demo.people import DemoPerson
from tests.e2e.desk import Desk
from tests.e2e.looking import keep_for_tour
from tests.e2e.outside import name_of

ARTICLE = "677"
OFFICE = "Regionens kortkontor"
ANY = re.compile("")
SIGNING = re.compile("läs villkoren och skriv under$")
REVOKES = {"Spärra kort": "Spärra kortet"}
"""The button of a function's page, where it has another name."""


def log_in(desk: Desk, one: DemoPerson, *, look: bool = False) -> None:
    """As a test person of the identity provider; in the region's assignment where there are several."""
    desk.press("Logga in")
    at_provider(desk, look=look)
    desk.hands.press(desk.page.get_by_role("button", name=f"Logga in som {name_of(one)}"))
    enter(desk, one, look=look)


def log_in_with_card(desk: Desk, one: DemoPerson, code: str) -> None:
    """As somebody who has a card: the provider asks for its code."""
    desk.press("Logga in")
    at_provider(desk)
    desk.hands.press(desk.page.get_by_role("button", name=f"Logga in som {name_of(one)}"))
    desk.see("Jag legitimerar mig hos")
    desk.show("Koden vid inloggningstjänsten")
    desk.hands.write(desk.page.get_by_label("Ange pinkod för SITHS-kort (Legitimering)"), code)
    desk.press("Legitimera")
    enter(desk, one)


def at_provider(desk: Desk, *, look: bool = False) -> None:
    expect(desk.page).to_have_url(re.compile(re.escape(desk.stage.idp)))
    desk.see("Legitimera dig")
    if look:
        desk.look("Inloggningstjänsten", tour="log-in")


def enter(desk: Desk, one: DemoPerson, *, look: bool = False) -> None:
    expect(desk.page).to_have_url(re.compile(re.escape(desk.stage.portal)))
    if len(one.posts) > 1:
        desk.see("Vilket uppdrag loggar du in för?")
        if look:
            desk.show("Val av uppdrag")
        desk.choose(re.compile(r"^Västra Götalandsregionen \("))
        desk.press("Fortsätt")
    inside = desk.page.get_by_role("button", name="Logga ut")
    turned = desk.page.get_by_role("link", name="Tillbaka till ID-administratören")  # the holder's page has no tools
    expect(inside.or_(turned)).to_be_visible()


SEARCHES = re.compile(r"^(Sök person|(Mån|Tis|Ons|Tors|Fre|Lör|Sön)dag \d+ [a-z]+)$")
"""Headings of the pages with a search field of their own: Sök, and Dagen, which is headed by the date."""


def find(desk: Desk, typed: str) -> None:
    """From Dagen or the search page to the only hit."""
    desk.see(SEARCHES)
    desk.hands.scan(desk.page, typed)
    at_person(desk)


def open_person(desk: Desk, typed: str) -> None:
    """The person's page as it is now, by the search."""
    desk.open("/sok/")
    find(desk, typed)


def at_person(desk: Desk) -> None:
    expect(desk.page).to_have_url(re.compile("/sok/person/[0-9a-f-]{36}/"))
    name = desk.page.get_by_role("region", name="Person", exact=True).get_by_role("heading", level=1)
    expect(name).to_be_visible(timeout=60_000)
    desk.page.wait_for_load_state("load")


def function(desk: Desk, name: str) -> Locator:
    """A function of the page, wherever it stands."""
    return desk.page.get_by_role("link", name=name, exact=True).or_(desk.page.get_by_role("button", name=name, exact=True)).first


def order(desk: Desk, photo: Path, *, look: bool = False) -> None:
    """From the person's page to an order with every answer, where nothing is sent yet."""
    begin_order(desk)
    choose_organisation(desk, look=look)
    choose_article(desk, look=look)
    give_photo(desk, photo, look=look)
    choose_office(desk, look=look)


def begin_order(desk: Desk) -> None:
    desk.hands.press(function(desk, "Nytt SITHS eID ordinarie kort"))
    at_order(desk)


def at_order(desk: Desk) -> None:
    desk.see(re.compile("^Beställ kort till "))


def at_ordered(desk: Desk) -> None:
    """The page of the sent order, and from there the person's."""
    desk.see(re.compile("är beställt$"))
    desk.press("Visa kortet på personens sida")
    at_person(desk)


def _answer(desk: Desk, choice: Locator) -> None:
    """Makes a choice, and waits until the page has stored and shown it."""
    with desk.page.expect_response(lambda response: response.request.method == "POST"):
        desk.hands.choose(choice)
    desk.page.wait_for_load_state("networkidle")


def choose_organisation(desk: Desk, *, look: bool = False) -> None:
    if look:
        desk.show("Beställning, uppdrag")
    first = desk.page.locator('input[name="post"]').first
    if not first.is_checked():
        _answer(desk, first)


def choose_article(desk: Desk, *, look: bool = False) -> None:
    choice = desk.page.locator(f'input[name="article"][value="{ARTICLE}"]')
    if not choice.is_checked():
        _answer(desk, choice)
    if look:
        desk.show("Beställning, foto saknas")


def give_photo(desk: Desk, photo: Path, *, look: bool = False) -> None:
    """The page fetches a chosen file by itself."""
    desk.hands.attach(desk.page.locator('input[type="file"]'), photo)
    desk.reads("Foto uppladdat:")
    at_order(desk)
    expect(desk.page.get_by_alt_text("Fotot som ska tryckas på kortet")).to_be_visible()
    if look:
        desk.show("Beställning, foto", tour="order-photo")


def choose_office(desk: Desk, *, look: bool = False, office: str = OFFICE) -> None:
    choice = desk.page.get_by_role("radio", name=re.compile(office)).first
    if not choice.is_checked():
        _answer(desk, choice)
    if look:
        desk.show("Beställning, allt ifyllt")


def begin_activation(desk: Desk, *, look: bool = False) -> None:
    """From the person's page to the second step, where the app's handle is shown."""
    desk.hands.press(function(desk, "Aktivera kort"))
    desk.see(re.compile("^Är det"))
    desk.choose(re.compile("Körkort"))
    if look:
        desk.show("Identifiering", tour="activate-identify")
    desk.press("Aktivera")
    desk.see(SIGNING)


def open_app(desk: Desk) -> Page:
    """The app's own window, by the page's link."""
    with desk.page.context.expect_page() as opened:
        desk.hands.press(function(desk, "Skriv under i SITHS eID-appen"))
    app = opened.value
    app.wait_for_load_state()
    return app


def insert_card(desk: Desk, app: Page, serial: str, *, look: bool = False) -> None:
    expect(app.get_by_role("heading", level=1)).to_have_text("Välj kort")
    own = app.locator(f'[value="{serial}"]')  # two of the cards may end alike
    desk.hands.choose(app.get_by_role("radio", name=re.compile(serial[-4:])).and_(own))
    if look:
        desk.eye.show(app, "Appen: kortet")
    desk.hands.press(app.get_by_role("button", name="Fortsätt"))


def choose_code(desk: Desk, app: Page, code: str, *, look: bool = False) -> None:
    expect(app.get_by_role("heading", level=1)).to_have_text("Välj legitimeringskod")
    if look:
        desk.eye.show(app, "Appen: välj kod", tour="app-code")
    desk.hands.write(app.get_by_label("Legitimeringskod", exact=True), code)
    desk.hands.write(app.get_by_label("Bekräfta legitimeringskod"), code)
    desk.hands.press(app.get_by_role("button", name="Legitimera"))


def sign(desk: Desk, app: Page, code: str, *, look: bool = False) -> None:
    expect(app.get_by_role("heading", level=1)).to_have_text("Skriv under")
    if look:
        desk.eye.show(app, "Appen: skriv under", tour="app-sign")
    desk.hands.write(app.get_by_label("Legitimeringskod"), code)
    desk.hands.press(app.get_by_role("button", name="Skriv under"))
    expect(app.get_by_role("heading", level=1)).to_have_text(re.compile("^Klart"))
    if look:
        desk.eye.show(app, "Appen: klart")


def open_carrier(desk: Desk) -> None:
    """Opens the first carrier, unless it is open."""
    row = desk.page.locator("article[id^=barare]").first
    for more in row.locator("details.more").all():
        if not more.evaluate("e => e.open"):
            desk.hands.press(more.locator("summary"))


def show_other_errands(desk: Desk) -> None:
    """Takes the tour's pictures of pages that other tests look at, with SITHS_TOUR=1. From the person's page back to it."""
    if not os.environ.get("SITHS_TOUR"):
        return
    address = desk.page.url
    for name, tour in (("Lås upp kort", "unlock"), ("Ersätt kort", "replace")):
        desk.hands.press(function(desk, name))
        desk.see(re.compile("^(Är det|Ersätt kortet) "))
        keep_for_tour(desk.page, tour)
        desk.page.goto(address)
    open_carrier(desk)


def revoke(desk: Desk, name: str, reason: str, *, look: bool = False, tour: bool = False) -> None:
    """From the person's page, by the function `name`, to the page that says when relying parties see it."""
    ask_to_revoke(desk, name, reason, look=look, tour=tour)
    desk.press(REVOKES.get(name, name))
    desk.see(re.compile("är spärrat$"))


def ask_to_revoke(desk: Desk, name: str, reason: str, *, look: bool = False, tour: bool = False) -> None:
    """As far as the button that does it."""
    desk.hands.press(function(desk, name))
    desk.see(re.compile(f"^{name} för "))
    for choice in (reason, "Innehavaren", "Besök"):
        desk.choose(re.compile(choice))
    last = desk.page.get_by_text(re.compile(r"^Kortserienummer")).inner_text()[-4:]
    desk.hands.write(desk.page.get_by_label("Kortets 4 sista siffror"), last)
    if look:
        desk.show(f"{name}: begäran", tour="revoke" if tour else "")
