"""A clerk's desk: a browser context at the portal, hands that work with it, an eye on each page and an ear on the traffic."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Locator, Page, expect

from tests.e2e.hands import Hands
from tests.e2e.looking import HEIGHT, WIDE, Looker
from tests.e2e.stage import Stage
from tests.lib.traffic import Traffic

SECONDS = 60


@dataclass
class Desk:
    """One person's browser. `page` is the tab in front."""

    stage: Stage
    hands: Hands
    eye: Looker
    traffic: Traffic
    page: Page

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("main").get_by_role("button", name=name, exact=True)

    def link(self, name: str) -> Locator:
        return self.page.get_by_role("main").get_by_role("link", name=name, exact=True)

    def press(self, name: str) -> None:
        """The button or link that reads `name`."""
        self.hands.press(self.button(name).or_(self.link(name)).first)

    def choose(self, name: str | re.Pattern[str]) -> None:
        """The radio button that reads `name`, the whole of it unless that is a pattern."""
        self.hands.choose(self.page.get_by_role("radio", name=name, exact=True).first)

    def see(self, heading: str | re.Pattern[str]) -> None:
        """Waits for the page with this h1, and for its scripts and styles, which move the focus or what has it."""
        expect(self.page.get_by_role("heading", level=1)).to_have_text(heading, timeout=SECONDS * 1000)
        self.page.wait_for_load_state("load")

    def reads(self, text: str | re.Pattern[str]) -> None:
        """Waits until the page says `text` where it can be read."""
        expect(self.page.get_by_text(text).filter(visible=True).first).to_be_visible(timeout=SECONDS * 1000)

    def open(self, path: str) -> None:
        self.page.goto(f"{self.stage.portal}{path}")

    def look(self, name: str, *, tour: str = "") -> None:
        self.eye.look(self.page, name, tour=tour)

    def show(self, name: str, *, tour: str = "") -> None:
        """Where another test looks at the same page in the same state."""
        self.eye.show(self.page, name, tour=tour)

    def new_tab(self) -> Page:
        return self.page.context.new_page()


@contextmanager
def desk(stage: Stage, browser: Browser, hands: Hands, series: str) -> Iterator[Desk]:
    """A desk with an empty browser at the portal's first page."""
    context = browser.new_context(viewport={"width": WIDE, "height": HEIGHT}, locale="sv-SE", accept_downloads=True)
    context.set_default_timeout(SECONDS * 1000)
    eye, traffic = Looker(series), Traffic().watch(context)
    eye.follow(context)
    page = context.new_page()
    made = Desk(stage, hands, eye, traffic, page)
    made.open("/")
    try:
        yield made
    finally:
        if not page.is_closed():
            eye.keep(page, "last.png")
        context.close()
