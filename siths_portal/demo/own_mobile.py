"""A holder on Mina sidor, who gets a mobile eID by the card that was just activated and logs in with it."""

import re
import secrets
import time
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit
from uuid import UUID

from django.conf import settings

from issuance.carriers.models import Carrier
from siths_portal.demo import holder
from siths_portal.demo.browsing import Browser, Page


class MobileFault(RuntimeError):
    """A step did not have the expected result."""


@dataclass
class OwnMobile:
    """The steps and their results. `code` is the one that the holder chooses on the device called `device`."""

    browser: Browser = field(default_factory=Browser)
    code: str = field(default_factory=holder.new_code, repr=False)
    device: str = field(default_factory=lambda: f"Demotelefon {secrets.randbelow(10**4):04}")

    @property
    def secrets(self) -> list[str]:
        """The code that the holder has chosen."""
        return [self.code]

    def get(self, serial: str, code: str) -> None:
        """Logs in with the card, accepts the terms, logs in once more and adds the mobile eID in the app. Raises PageFault."""
        page = self._provide(self.browser.open(settings.MINASIDOR_BASE_URL).press("Logga in"), serial, code)
        page = page.follow("Skaffa eller hantera Mobilt SITHS").follow("Skaffa Mobilt SITHS")
        form = page.form("Fortsätt").choose("Bara jag")
        form.element.xpath(".//input[@type='checkbox']")[0].checked = True
        time.sleep(1)  # providers give whole seconds, and a log-in in the second of the first one is no second log-in
        page = form.send().press("Logga in igen").press("Legitimera")
        page = self._provide(page, serial, code).press("Visa startkoden")
        found = re.search(r"mob\.[A-Za-z0-9_-]{22}", page.content.decode())
        if found is None:
            raise page.fault("no start code")
        app = Browser().open(urljoin(settings.EID_APP_URL, "/mobilt"))
        form = app.form("Lägg till").fill("Startkod", found[0]).fill("Namn på enheten", self.device)
        done = form.fill("Legitimeringskod", self.code).fill("Bekräfta legitimeringskod", self.code).send()
        if done.heading != "Klart":
            raise done.fault("the app did not add the mobile eID")
        if self.device not in page.again().text:
            raise page.fault("Mina sidor does not show the mobile eID")

    def log_in(self) -> None:
        """Logs in with the mobile eID in another browser. Raises PageFault."""
        page = Browser().open(settings.MINASIDOR_BASE_URL).press("Logga in")
        page = page.form("Fortsätt med kort").choose(f"Mobilt SITHS, {self.device}").send()
        page = page.form("Legitimera").fill("Ange pinkod", self.code).send()
        if urlsplit(page.url).netloc != urlsplit(settings.MINASIDOR_BASE_URL).netloc or not page.has_button("Logga ut"):
            raise page.fault("not logged in with the mobile eID")
        page.press("Logga ut")

    def carrier(self, person_id: UUID | None) -> Carrier:
        """Returns the mobile eID. Raises MobileFault if it is not in use."""
        rows = Carrier.objects.filter(person=person_id, kind="mobile_eid", state="active", device=self.device)
        found = rows.select_related("organisation").first()
        if found is None:
            raise MobileFault("the mobile eID is not in use")
        return found

    def _provide(self, page: Page, serial: str, code: str) -> Page:
        page = page.form("Fortsätt med kort").choose(f"slutar på {serial[-4:]}").send()
        return page.form("Legitimera").fill("Ange pinkod", code).send()
