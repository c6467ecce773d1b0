"""The check of targets finds what is too small and too near to another, and nothing else."""

from playwright.sync_api import Browser

from tests.browser import browser
from tests.targets import small_targets

__all__ = ["browser"]  # a fixture

LINK = '<a href="/{}" style="display: block; font: 14px/{} sans-serif">Visa</a>'


def test_small_targets_near_each_other_are_found(browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 900})
    page = context.new_page()
    page.set_content(LINK.format(1, "16px") + LINK.format(2, "16px"))
    assert len(small_targets(page)) == 2
    for enough in (
        LINK.format(1, "24px") + LINK.format(2, "24px"),
        LINK.format(1, "16px") + "<br>" + LINK.format(2, "16px"),
        '<p style="font: 14px/16px sans-serif">Läs <a href="/1">mer</a> eller <a href="/2">nu</a> om</p>',
    ):
        page.set_content(enough)
        assert small_targets(page) == [], enough
    context.close()
