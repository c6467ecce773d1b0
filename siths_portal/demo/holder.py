"""The holder at the eID app's pages: puts the card into the reader, chooses a code, reads the receipt and signs it."""

import secrets

from django.conf import settings

from siths_portal.demo.browsing import Browser, Page


def new_code() -> str:
    """Eight digits that nobody chose."""
    return f"{secrets.randbelow(10**8):08}"


def activate(handle: str, serial: str, code: str) -> Page:
    """Goes through the app's windows to the end, as with a handle that was copied from the clerk's page."""
    page = Browser().open(settings.EID_APP_URL).form("Fortsätt").fill("Startkod", handle).send()
    page = page.form("Fortsätt").choose(f"slutar på {serial[-4:]}").send()
    page = page.form("Legitimera").fill("Legitimeringskod", code).fill("Bekräfta legitimeringskod", code).send()
    page = page.form("Skriv under").fill("Legitimeringskod", code).send()
    if not page.heading.startswith("Klart"):
        raise page.fault("the receipt was not signed")
    return page
