"""The holder, who uses the eID app's pages: inserts the card, chooses a code, signs the receipt, and unlocks the card."""

import secrets
from urllib.parse import urljoin

from django.conf import settings

from siths_portal.demo.browsing import Browser, Page


def new_code() -> str:
    """Returns eight random digits."""
    return f"{secrets.randbelow(10**8):08}"


def activate(handle: str, serial: str, code: str) -> Page:
    """Activates the card in the app, with a start code copied from the ID administrator's page. Raises PageFault."""
    page = _choose_code(handle, serial, code)
    page = page.form("Skriv under").fill("Legitimeringskod", code).send()
    if not page.heading.startswith("Klart"):
        raise page.fault("the receipt was not signed")
    return page


def sign(handle: str, serial: str, code: str) -> Page:
    """Signs a statement in the app with a card in use and its code. Raises PageFault."""
    page = _insert(handle, serial).form("Skriv under").fill("Legitimeringskod", code).send()
    if not page.heading.startswith("Klart"):
        raise page.fault("the statement was not signed")
    return page


def activate_reserve_card(handle: str, serial: str, envelope: str, code: str) -> Page:
    """Activates a reserve card in the app with the code of its envelope. Raises PageFault."""
    form = _insert(handle, serial).form("Legitimera").fill("Koden i kuvertet", envelope)
    page = form.fill("Legitimeringskod", code).fill("Bekräfta legitimeringskod", code).send()
    page = page.form("Skriv under").fill("Legitimeringskod", code).send()
    if not page.heading.startswith("Klart"):
        raise page.fault("the receipt was not signed")
    return page


def unlock(handle: str, serial: str, code: str) -> Page:
    """Chooses a new code in the app, with a start code copied from the ID administrator's page. Raises PageFault."""
    page = _choose_code(handle, serial, code)
    if not page.heading.startswith("Klart"):
        raise page.fault("the card was not unlocked")
    return page


def unlock_with_letter(serial: str, puk: str, code: str) -> Page:
    """Chooses a new code in the app with the PUK of a letter. Raises PageFault."""
    page = Browser().open(urljoin(settings.EID_APP_URL, "/las-upp"))
    form = page.form("Lås upp kortet").choose(f"slutar på {serial[-4:]}").fill("Upplåsningskod (PUK)", puk)
    page = form.fill("Ny legitimeringskod", code).fill("Bekräfta legitimeringskod", code).send()
    if page.heading != "Kortet är upplåst":
        raise page.fault("the card was not unlocked by the letter")
    return page


def _insert(handle: str, serial: str) -> Page:
    page = Browser().open(settings.EID_APP_URL).form("Fortsätt").fill("Startkod", handle).send()
    return page.form("Fortsätt").choose(f"slutar på {serial[-4:]}").send()


def _choose_code(handle: str, serial: str, code: str) -> Page:
    page = _insert(handle, serial)
    return page.form("Legitimera").fill("Legitimeringskod", code).fill("Bekräfta legitimeringskod", code).send()
