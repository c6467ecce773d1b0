"""The list of authorities in a real browser."""

from playwright.sync_api import Browser

from tests.axe import ask_axe
from tests.browser import browser, page_at
from tests.lib.faces import serving

__all__ = ["browser"]  # a fixture


def test_the_list_of_authorities_fits_and_is_clean(world, browser: Browser, tmp_path) -> None:
    """Each width has a page of its own in the same process: nothing of one stays for the next."""
    with serving("status", tmp_path / "log") as url:
        for width in (1440, 390, 320):
            with page_at(browser, url, width=width) as (page, said):
                assert page.locator("tbody tr").count() == 3
                ask_axe(page, f"at {width}")
                assert page.evaluate("document.documentElement.scrollWidth") == width
                frame = page.locator(".table-frame").evaluate("e => [e.scrollWidth, e.clientWidth]")
                assert width < 1440 or frame[0] == frame[1], "at full width nothing is hidden behind a scroll bar"
                assert said == []
