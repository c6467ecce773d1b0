"""A plugin that finds tests of pages which pass by chance: `SITHS_LATENCY_MS=500 pytest -n 0 -p tests.slow_network …` (ADR 0105).

Every answer to a page that a test opens comes so much later: what reads or acts before the page is there fails each time.
"""

import os

from playwright.sync_api import BrowserContext, Page

_open = BrowserContext.new_page


def _open_slowly(context: BrowserContext) -> Page:
    page = _open(context)
    session = context.new_cdp_session(page)
    session.send("Network.enable")
    slow = {"offline": False, "latency": int(os.environ["SITHS_LATENCY_MS"]), "downloadThroughput": -1, "uploadThroughput": -1}
    session.send("Network.emulateNetworkConditions", slow)
    return page


def pytest_configure() -> None:
    """Puts the slow way to open a page in the place of the usual one."""
    BrowserContext.new_page = _open_slowly  # type: ignore[method-assign]
