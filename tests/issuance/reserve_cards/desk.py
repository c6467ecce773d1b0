"""Reserve cards in Chromium, from the bundle to the holder: what each person does at a desk or in the eID app's window."""

from typing import Any

from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from tests.browser import look

SECONDS = 60_000
SIGN = "Skriv under med ditt eget kort"
OPEN_APP = "Öppna SITHS eID-appen"


def heading(page: Page, text: str) -> None:
    """Waits for the page with this h1, and for its script."""
    expect(page.get_by_role("heading", level=1)).to_have_text(text, timeout=SECONDS)
    page.wait_for_load_state("load")


def press(page: Page, name: str) -> None:
    """The button or link of the page that reads `name`."""
    main = page.get_by_role("main")
    main.get_by_role("button", name=name).or_(main.get_by_role("link", name=name)).first.click()


def choose(page: Page, name: str) -> None:
    """The label of a radio button."""
    page.get_by_role("main").locator("label", has_text=name).click()


def reads(page: Page, text: str) -> None:
    """Waits until the page says `text`."""
    expect(page.get_by_text(text).first).to_be_visible(timeout=SECONDS)


def receive(page: Page, portal: str, serials: list[str]) -> None:
    """Who hands out the cards receives them by scanner."""
    page.goto(portal + reverse("day"))
    press(page, "Ta emot bunten")
    page.get_by_label("Skannade kort").fill("\n".join(serials))
    press(page, "Ta emot de skannade korten")
    reads(page, f"{len(serials)} kort är mottagna till lagret.")


def hand_out(page: Page, portal: str, person_id: Any, serial: str) -> None:
    """The first officer identifies the person, on level 3, and comes to the own signature."""
    page.goto(portal + reverse("person", args=[person_id]))
    press(page, "Nytt SITHS eID reservkort")
    expect(page.get_by_label("Kortserienummer")).to_be_focused()
    look(page, "reserve-1-hand-out")
    press(page, "Lämna ut reservkortet")
    expect(page.get_by_role("alert")).to_be_focused()
    look(page, "reserve-1-hand-out-error")
    page.get_by_label("Kortserienummer").fill(serial)
    choose(page, "Tillitsnivå 3")
    choose(page, "Pass (vinröd bok)")
    press(page, "Lämna ut reservkortet")
    heading(page, SIGN)
    look(page, "reserve-2-signature")


def check(page: Page, portal: str, serial: str) -> None:
    """The second officer finds the hand-out on Dagen, checks it, and comes to the own signature."""
    page.goto(portal + reverse("reserve_cards_waiting"))
    heading(page, "Väntar på en andra person")
    look(page, "reserve-3-queue")
    page.goto(portal + reverse("day"))
    press(page, "Kontrollera")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Du är andra person för")
    look(page, "reserve-4-check")
    press(page, "Godkänn utlämningen")
    expect(page.get_by_role("alert")).to_be_focused()
    look(page, "reserve-4-check-error")
    page.get_by_label("Är det rätt kuvert?").fill(serial[-4:])
    choose(page, "Körkort")
    press(page, "Godkänn utlämningen")
    heading(page, SIGN)


def open_app(page: Page, link: str = OPEN_APP) -> Page:
    """The eID app's window, by the page's link."""
    with page.context.expect_page() as opened:
        page.get_by_role("link", name=link).click()
    heading(opened.value, "Välj kort")
    return opened.value


def put_in(app: Page, serial: str) -> None:
    """A card is put into the reader."""
    app.get_by_role("radio", name=f"slutar på {serial[-4:]}").check()
    app.get_by_role("button", name="Fortsätt").click()


def sign(app: Page, code: str) -> None:
    """The holder of the card signs what the app shows."""
    heading(app, "Skriv under")
    app.get_by_label("Legitimeringskod").fill(code)
    app.get_by_role("button", name="Skriv under").click()
    heading(app, "Klart. Du kan stänga fönstret.")


def sign_statement(page: Page, serial: str, code: str, *, see: str = "") -> None:
    """An officer signs with the own card. `see` names a look at what is signed."""
    app = open_app(page)
    put_in(app, serial)
    heading(app, "Skriv under")
    reads(app, "kuvertet är obrutet")
    if see:
        look(app, see)
    sign(app, code)
    app.close()


def exchange_code(app: Page, envelope: str, code: str) -> None:
    """The holder types the envelope's code and chooses another, after a wrong one."""
    heading(app, "Välj legitimeringskod")
    look(app, "reserve-app-code")
    for typed in ("000000", envelope):
        app.get_by_label("Koden i kuvertet").fill(typed)
        field(app, "Legitimeringskod").fill(code)
        field(app, "Bekräfta legitimeringskod").fill(code)
        app.get_by_role("button", name="Legitimera").click()
        if typed != envelope:
            expect(app.get_by_role("alert")).to_contain_text("2 försök kvar")


def field(app: Page, label: str) -> Locator:
    """A field by the whole of its label."""
    return app.get_by_label(label, exact=True)
