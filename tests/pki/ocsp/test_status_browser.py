"""The list of authorities in a real browser."""

import pytest
from playwright.sync_api import Browser

from tests.axe import run_axe
from tests.browser import browser, page_at
from tests.lib.faces import serving

__all__ = ["browser"]  # a fixture


@pytest.mark.parametrize("width", [1440, 390, 320])
def test_the_list_of_authorities_fits_and_is_clean(world, browser: Browser, tmp_path, width: int) -> None:
    with serving("status", tmp_path / "log") as url, page_at(browser, url, width=width) as (page, said):
        assert page.locator("tbody tr").count() == 3
        results = run_axe(page)
        assert results.violations_count == 0, results.generate_report()
        assert page.evaluate("document.documentElement.scrollWidth") == width
        frame = page.locator(".table-frame").evaluate("e => [e.scrollWidth, e.clientWidth]")
        assert width < 1440 or frame[0] == frame[1], "at full width nothing is hidden behind a scroll bar"
        assert said == []
