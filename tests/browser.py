"""Chromium for tests: the fixture `browser`, and pages in fresh contexts."""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests import kept_connection, layout_pictures, personal_addresses
from tests.axe import ask_axe
from tests.targets import small_targets

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The rest saves processor time and changes nothing that a page can see. One renderer serves a browser context: a page that
    # isolates itself by Cross-Origin-Opener-Policy, or opens another site, stays isolated by its browsing context group.
    "--renderer-process-limit=1",
    "--in-process-gpu",
    # Each document runs axe once and cold, so optimized code would be discarded before it pays off.
    "--js-flags=--no-opt --no-maglev",
    # One tile per screen: the software renderer pays per tile and frame.
    "--num-raster-threads=1",
    "--default-tile-width=1440",
    "--default-tile-height=900",
    # Of this machine all but the demo's ports, which addresses of pages name by default, and nothing of others (`tests/guard`).
    "--host-resolver-rules=MAP localhost:8??? ~NOTFOUND,MAP 127.0.0.1:8??? ~NOTFOUND,"
    "MAP localhost 127.0.0.1,MAP 127.0.0.1 127.0.0.1,MAP * ~NOTFOUND",
]
expect.set_options(timeout=30_000)  # as long as Playwright's acts wait; its five seconds are few where much else runs

PICTURES = os.environ.get("PAGE_PICTURES", "")  # a folder for pictures of what `look` looks at


class _Chromium:
    """The Chromium of this test process. It starts for the first module that asks, and stays for those that follow."""

    def __init__(self) -> None:
        self._playwright: Playwright | None = None
        self._browser: Browser | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def take(self, config: pytest.Config) -> Browser:
        """A browser without contexts; a new one if the last one crashed."""
        asyncio._set_running_loop(self._loop)
        if self._playwright is None:
            self._playwright = sync_playwright().start()
            self._loop = asyncio.get_running_loop()
            config.add_cleanup(self._stop)
        if self._browser is None or not self._browser.is_connected():
            launch = self._playwright.chromium.launch
            self._browser = launch(executable_path="/usr/bin/chromium-headless-shell", args=FLAGS, timeout=120_000)
            personal_addresses.scan_navigations(self._browser)
        return self._browser

    def give_back(self) -> None:
        """Closes what the module left open, and hides Playwright's event loop from modules that run a loop of their own.

        Where a loop runs, Django has other connections than elsewhere. A test that ends all connections would break them for the
        next module with a browser.
        """
        for context in self._browser.contexts if self._browser else []:
            context.close()
        kept_connection.close()
        asyncio._set_running_loop(None)

    def _stop(self) -> None:
        asyncio._set_running_loop(self._loop)
        if self._browser is not None:
            self._browser.close()
        if self._playwright is not None:
            self._playwright.stop()


_chromium = _Chromium()


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Iterator[Browser]:
    yield _chromium.take(request.config)
    _chromium.give_back()


def collect_faults(context: BrowserContext) -> list[str]:
    """What scripts and consoles of the context's pages will say of errors and warnings; the browser's own notes are no faults."""
    said: list[str] = []
    context.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    context.on("weberror", lambda error: said.append(str(error.error)))
    return said


@contextlib.contextmanager
def page_at(browser: Browser, url: str, *, width: int = 1440, **options: object) -> Iterator[tuple[Page, list[str]]]:
    """A page in a fresh context, and what its console says of errors and warnings."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)  # type: ignore[arg-type]
    page = context.new_page()
    said = collect_faults(context)
    page.goto(url)
    yield page, said
    context.close()


def whole(page: Page) -> bytes:
    """A picture of the whole page, in a window so high that nothing sticks to its edge and hides what lies below it."""
    size = page.viewport_size
    assert size is not None
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": size["width"], "height": max(size["height"], height)})
    picture = page.screenshot(full_page=True)
    page.set_viewport_size(size)
    return picture


def look(page: Page, name: str) -> None:
    """No finding of axe, one h1, no sideways scroll; at the slide's width, on a phone, and at 320 pixels."""
    page.wait_for_load_state("load")  # with its styles
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        if width != 320:
            if PICTURES:
                (Path(PICTURES) / f"{name}-{width}.png").write_bytes(whole(page))
            layout_pictures.compare(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") == width, (name, width)
        assert width == 1440 or small_targets(page) == [], (name, width)
    page.set_viewport_size({"width": 1440, "height": 900})
    ask_axe(page, name)
    assert page.locator("h1").count() == 1
