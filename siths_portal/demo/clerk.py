"""An ID-administrator at the portal's pages, over HTTP: logs in, finds a person, orders, activates, revokes.

What is pressed is found by the text that a person reads, and every page that comes back is looked at.
"""

from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from django.conf import settings

from siths_portal.demo.browsing import Browser, Form, Page

_MOST_STEPS = 8


@dataclass(frozen=True)
class Wish:
    """What is ordered: an article's number, the photo for it, the office that is printed on the invoice, the assignment."""

    article: str
    photo: bytes
    office: str
    hsa_id: str


class Clerk:
    """One browser at the portal. `page` is what it shows."""

    def __init__(self) -> None:
        self.browser = Browser()
        self.page = self.browser.open(settings.PORTAL_BASE_URL)

    def log_in(self, name: str, hsa_id: str) -> None:
        """As the test person with this name, in the assignment with this HSA-id."""
        self._enter(self._at_provider().press(f"Logga in som {name}"), hsa_id)

    def log_in_with_card(self, serial: str, code: str, hsa_id: str) -> None:
        """With the card in the reader and its code."""
        self._enter(self.try_card(serial, code), hsa_id)

    def try_card(self, serial: str, code: str) -> Page:
        """What the identity provider says to the card and its code."""
        page = self._at_provider().form("Fortsätt med kort").choose(f"slutar på {serial[-4:]}").send()
        return page.form("Legitimera").fill("Ange pinkod", code).send()

    def _at_provider(self) -> Page:
        page = self.page.press("Logga in")
        if urlsplit(page.url).netloc != urlsplit(settings.OIDC_ISSUER).netloc:
            raise page.fault("not at the identity provider")
        return page

    def _enter(self, page: Page, hsa_id: str) -> None:
        if page.has_button("Fortsätt"):
            page = page.form("Fortsätt").choose(hsa_id).send()
        if not page.has_button("Logga ut"):
            raise page.fault("not logged in")
        self.page = page

    def log_out(self) -> None:
        """Ends the session; a page that was open before is not shown again."""
        before = self.page
        self.page = self.page.press("Logga ut")
        if before.again().has_button("Logga ut"):
            raise self.page.fault("still logged in")

    def find(self, written: str) -> Page:
        """The page of the only person that is found."""
        search = self.browser.open(urljoin(settings.PORTAL_BASE_URL, "/sok/"))
        self.page = search.form("Sök").fill("Person-id, tjänste-id", written).send()
        return self._expect("Person")

    def order(self, wish: Wish) -> Page:
        """Orders a card from the person's page."""
        page = self.page.press("Nytt SITHS eID ordinarie kort")
        for _ in range(_MOST_STEPS):
            if page.has_button("Beställ"):
                self.page = page.press("Beställ")
                return self._expect("Person")
            page = self._answer(page, wish)
        raise page.fault("the order does not come to its end")

    def _answer(self, page: Page, wish: Wish) -> Page:
        if page.has_button("Hämta fotografi"):
            upload = page.form("Hämta fotografi").attach("Fil med fotografiet", "foto.jpg", wish.photo, "image/jpeg")
            return upload.send().press("Nästa")
        form = page.form("Nästa")
        for choice in (wish.hsa_id, wish.article, wish.office):
            if form.offers(choice):
                form.choose(choice)
        return form.send()

    def begin_activation(self, identity_document: str) -> Page:
        """Identifies the holder of the person's only new card; the page then tells the eID app's handle."""
        page = self.page.again().follow("Aktivera kort")
        self.page = page.form("Aktivera").choose(identity_document).send()
        return self.page

    def handle(self) -> str:
        """The handle that the page's link gives to the app, behind `#`, which goes to no server."""
        address = self.page.href("Skriv under i SITHS eID-appen")
        if not address.startswith(settings.EID_APP_URL):
            raise self.page.fault("the link leads to another app")
        return address.partition("#")[2]

    def finish_activation(self) -> Page:
        """Reads the page anew and closes the case."""
        self.page = self.page.again()
        self._expect("Aktivering lyckades")
        self.page = self.page.press("Avsluta")
        return self._expect("Person")

    def receipt(self) -> bytes:
        """The signed PDF of the person's card."""
        page = self.page.follow("Visa elektronisk kvittens").follow("Skriv ut")
        if not page.content.startswith(b"%PDF-"):
            raise page.fault("no PDF")
        return page.content

    def revoke_card(self, reason: str) -> Page:
        """Revokes the person's card as its holder asked at a visit; the page then says when relying parties see it."""
        page = self.page.again().follow("Spärra kort")
        asked: Form = page.form("Nästa")
        for choice in (reason, "Innehavaren", "Besök"):
            asked.choose(choice)
        self.page = asked.send().press("Spärra kort")
        return self._expect("Kortet är spärrat")

    def _expect(self, heading: str) -> Page:
        if self.page.heading != heading:
            raise self.page.fault(f"not the page {heading}")
        return self.page
