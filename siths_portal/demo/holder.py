"""The holder, who uses the eID app's pages: inserts the card, chooses a code and signs the receipt."""

import secrets

from django.conf import settings

from siths_portal.demo.browsing import Browser, Page


def new_code() -> str:
    """Returns eight random digits."""
    return f"{secrets.randbelow(10**8):08}"


def activate(handle: str, serial: str, code: str) -> Page:
    """Activates the card in the app, with a start code copied from the ID administrator's page. Raises PageFault."""
    page = Browser().open(settings.EID_APP_URL).form("Fortsätt").fill("Startkod", handle).send()
    page = page.form("Fortsätt").choose(f"slutar på {serial[-4:]}").send()
    page = page.form("Legitimera").fill("Legitimeringskod", code).fill("Bekräfta legitimeringskod", code).send()
    page = page.form("Skriv under").fill("Legitimeringskod", code).send()
    if not page.heading.startswith("Klart"):
        raise page.fault("the receipt was not signed")
    return page
