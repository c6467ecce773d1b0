"""An ID administrator or finance person who uses the portal's pages over HTTP: logs in, orders, activates, revokes, invoices.

It finds buttons and links by their visible text, and checks every page that it gets.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit
from uuid import UUID

from django.conf import settings

from siths_portal.demo.browsing import Browser, Form, Page

_SHOW = "Visa kort och kontor för uppdraget"
"""The button of an order's page that shows it again with the new answers; pages with script do it themselves."""


@dataclass(frozen=True)
class CardRequest:
    """A card to order: article number, photo, office on the invoice, and the holder's HSA-id."""

    article: str
    photo: bytes
    office: str
    hsa_id: str


class Clerk:
    """A browser at the portal. `page` is the present page."""

    def __init__(self) -> None:
        self.browser = Browser()
        self.page = self.browser.open(settings.PORTAL_BASE_URL)

    def log_in(self, name: str, hsa_id: str) -> None:
        """Logs in as the test person with this name, for the assignment with this HSA-id."""
        self._enter(self._at_provider().press(f"Logga in som {name}"), hsa_id)

    def log_in_with_card(self, serial: str, code: str, hsa_id: str) -> None:
        """Logs in with this card and its code, for the assignment with this HSA-id."""
        self._enter(self.try_card(serial, code), hsa_id)

    def try_card(self, serial: str, code: str) -> Page:
        """Returns the identity provider's page after it got the card and its code."""
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
        """Ends the session, and checks that the previous page cannot be loaded again."""
        before = self.page
        self.page = self.page.press("Logga ut")
        if before.again().has_button("Logga ut"):
            raise self.page.fault("still logged in")

    def find(self, written: str) -> Page:
        """Searches for a person-id and returns the person's page. Raises PageFault."""
        search = self._open("/sok/")
        self.page = search.form("Sök").fill("Person-id, tjänste-id", written).send()
        return self._at_person()

    def work_lists(self) -> Page:
        """Returns the page Registervård, with the work lists that have rows. Raises PageFault if none has."""
        self.page = self.browser.open(urljoin(settings.PORTAL_BASE_URL, "/registervard/"))
        if not re.search(r"\d sak(er)? väntar", self.page.text):
            raise self.page.fault("no work list has a row")
        return self.page

    def order(self, request: CardRequest) -> Page:
        """Orders a card from the person's page."""
        page = self.page.press("Nytt SITHS eID ordinarie kort")
        page = page.form(_SHOW).choose(request.hsa_id).send()
        form = page.form(_SHOW).choose(request.article)
        page = form.choose(request.office).send()
        if page.has_button("Hämta fotografi"):
            upload = page.form("Hämta fotografi").attach("Fil med fotografiet", "foto.jpg", request.photo, "image/jpeg")
            page = upload.send()
        return self._ordered(page)

    def replace_card(self, reason: str) -> Page:
        """Orders a card in the place of the person's only card in use, with its assignment, office and photo."""
        page = self.page.press("Ersätt kort").form(_SHOW).choose(reason).send()
        return self._ordered(page)

    def _ordered(self, page: Page) -> Page:
        page = page.press("Beställ kortet")
        if not page.heading.endswith("är beställt"):
            raise page.fault("the order does not come to its end")
        self.page = page.follow("Visa kortet på personens sida")
        return self._at_person()

    def begin_activation(self, identity_document: str) -> Page:
        """Identifies the holder of the person's only new card. The page then has the start code of the eID app."""
        page = self.page.again().follow("Aktivera kort")
        self.page = page.form("Aktivera").choose(identity_document).send()
        return self.page

    def begin_unlocking(self, identity_document: str) -> Page:
        """Identifies the holder of the person's only active card. The page then has the start code of the eID app."""
        page = self.page.again().follow("Lås upp kort")
        self.page = page.form("Lås upp").choose(identity_document).send()
        return self._expect("Innehavaren väljer en ny kod")

    def finish_unlocking(self) -> Page:
        """Loads the page again, which says that the card is unlocked, and goes back to the person."""
        self.page = self.page.again()
        self.page = self._expect("Kortet är upplåst").follow("Till personen")
        return self._at_person()

    def report_document(self, identity_document: str, observed: str) -> Page:
        """Stops the unlocking of the person's only active card, because the document may be false."""
        page = self.page.again().follow("Lås upp kort").follow("Misstänker du att id-handlingen är falsk?")
        form = page.form("Rapportera misstanken").choose(identity_document).fill("Vad såg du?", observed)
        self.page = form.send()
        if "Misstanken är rapporterad" not in self.page.text:
            raise self.page.fault("the suspicion is not reported")
        return self.page

    def order_letter(self, office: str) -> Page:
        """Orders a letter with the PUK of the person's only active card, and returns the letter's page."""
        page = self.page.follow("Beställ PUK-brev")
        self.page = page.form("Beställ brevet").choose(office).send()
        return self._expect("PUK-brevet är beställt")

    def order_bundle(self, organisation_id: UUID, quantity: int) -> Page:
        """Orders reserve cards for the organisation, to its only office with an address."""
        page = self._open(f"/administrera/organisation/{organisation_id}/").follow("Beställa bunt reservkort")
        page = page.form("Förhandsgranska").fill("Antal kort", str(quantity)).send()
        self.page = page.press("Beställ bunten")
        if "Bunten är beställd" not in self.page.text:
            raise self.page.fault("the bundle is not ordered")
        return self.page

    def receive_bundle(self, quantity: int) -> Page:
        """Receives the bundle that Dagen names first, whole."""
        page = self._open("/dagen/").follow("Ta emot bunten")
        self.page = page.press(f"Ta emot alla {quantity} kort")
        return self.page

    def hand_out(self, serial: str, choices: Sequence[str]) -> Page:
        """Hands out a reserve card to the person of the present page, as far as the own signature. `choices` are parts of the
        labels of level, assignment and document.
        """
        form = self.page.again().follow("Nytt SITHS eID reservkort").form("Lämna ut reservkortet")
        form.fill("Kortserienummer", serial)
        for choice in choices:
            form.choose(choice)
        self.page = form.send()
        return self._expect("Skriv under med ditt eget kort")

    def approve_reserve_card(self, serial: str, *, identity_document: str) -> Page:
        """As second officer, checks the card's hand-out, as far as the own signature. Others may wait from a walk that broke."""
        page = self._open("/reservkort/andra-person/").follow("Kontrollera", within=f"slutar på {serial[-4:]}")
        form = page.form("Godkänn utlämningen").fill("Är det rätt kuvert?", serial[-4:])
        self.page = form.choose(identity_document).send()
        return self._expect("Skriv under med ditt eget kort")

    def handle(self, link: str = "Skriv under i SITHS eID-appen") -> str:
        """Returns the start code in the page's link to the app. It is in the fragment, which browsers send to no server."""
        address = self.page.href(link)
        if not address.startswith(settings.EID_APP_URL):
            raise self.page.fault("the link leads to another app")
        return address.partition("#")[2]

    def finish_activation(self) -> Page:
        """Loads the page again and finishes the activation."""
        self.page = self.page.again()
        if not self.page.heading.endswith("kort är aktiverat"):
            raise self.page.fault("not an activated card")
        self.page = self.page.press("Avsluta")
        return self._at_person()

    def receipt(self) -> bytes:
        """Returns the signed PDF of the person's card."""
        page = self.page.follow("Visa elektronisk kvittens").follow("Skriv ut")
        if not page.content.startswith(b"%PDF-"):
            raise page.fault("no PDF")
        return page.content

    def revoke_card(self, reason: str) -> Page:
        """Revokes the person's card, requested by the holder at a visit, and returns the page with the result."""
        page = self.page.again().follow("Spärra kort")
        form: Form = page.form("Spärra kortet")
        for choice in (reason, "Innehavaren", "Besök"):
            form.choose(choice)
        last = re.search(r"Kortet som slutar på (\d{4})", page.text)
        if last is None:
            raise page.fault("no end of the card's number")
        self.page = form.fill("Kortets 4 sista siffror", last[1]).send()
        return self._expect("Kortet är spärrat")

    def approve_month(self, month: str, button: str) -> Page:
        """Presses the button of the month's run (YYYY-MM): to release its invoices, or to approve them."""
        self.page = self._open(f"/fakturor/manadskorning/{month}/")
        self.page = self.page.press(button)
        if self.page.has_button(button):
            raise self.page.fault(f"still a button {button}")
        return self.page

    def request_credit(self, number: str, reason: str) -> Page:
        """Asks to credit and write off one piece of an invoice's first line, after reading the preview."""
        page = self._open(f"/fakturor/{number}/kreditera/")
        form = page.form("Förhandsgranska kreditfakturan").choose("Skriv av").fill("Skäl", reason)
        preview = form.fill("Antal att kreditera,", "1").send()
        self.page = preview.press("Begär kreditering")
        if self.page.has_button("Godkänn krediteringen"):
            raise self.page.fault("one person may request and approve")
        return self._expect(f"Kreditera faktura {number}")

    def approve_credit(self, number: str) -> Page:
        """Approves another person's request to credit the invoice, and returns the credit note's page."""
        self.page = self._open(f"/fakturor/{number}/kreditera/")
        self.page = self.page.press("Godkänn krediteringen")
        if not self.page.heading.startswith("Kreditfaktura "):
            raise self.page.fault("not a credit note")
        return self.page

    def _at_person(self) -> Page:
        if not self.page.path.startswith("/sok/person/"):
            raise self.page.fault("not a person's page")
        return self.page

    def _expect(self, heading: str) -> Page:
        if self.page.heading != heading:
            raise self.page.fault(f"not the page {heading}")
        return self.page

    def _open(self, path: str) -> Page:
        return self.browser.open(urljoin(settings.PORTAL_BASE_URL, path))
