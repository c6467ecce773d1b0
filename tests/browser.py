"""Chromium for tests: the fixture `browser`, pages in fresh contexts, and the rules that axe is asked for."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

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
# Of the findings every place is told, of what was passed one: nobody reads the rest.
AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}
# axe reads the words of a colour anew for each layer under each text. The same words are the same colour (ADR 0205).
_COLOURS_READ_ONCE = """
;(() => {
  const colour = axe.commons.color.Color.prototype;
  const read = colour.parseString;
  const known = new Map();
  colour.parseString = function (words) {
    if (!known.has(words)) {
      read.call(this, words);
      known.set(words, [this.r, this.g, this.b, this.alpha]);
    }
    [this.r, this.g, this.b, this.alpha] = known.get(words);
    return this;
  };
})();
"""

# But for what moves without end, as what waits does.
_MOVES_END = """() => Promise.allSettled(
  document.getAnimations()
    .filter(each => each.playState === "running" && each.effect.getComputedTiming().endTime < Infinity)
    .map(each => each.finished)
)"""

expect.set_options(timeout=30_000)  # as long as Playwright's acts wait; its five seconds are few where much else runs

PICTURES = os.environ.get("PAGE_PICTURES", "")  # a folder for pictures of what `look` looks at


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium-headless-shell", args=FLAGS, timeout=120_000)
        yield chromium
        chromium.close()


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


def run_axe(page: Page) -> AxeResults:
    """What axe finds on the page as it stands when all that fades has faded; it is brought once to each document."""
    page.evaluate(_MOVES_END)
    if page.evaluate("window.axe?.run === undefined"):
        page.evaluate(AXE_SCRIPT + _COLOURS_READ_ONCE)
    return AxeResults(page.evaluate("options => axe.run(options)", AXE))


def look(page: Page, name: str) -> None:
    """No finding of axe, one h1, no sideways scroll; at the slide's width, on a phone, and at 320 pixels."""
    page.wait_for_load_state("load")  # with its styles
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        if PICTURES and width != 320:
            page.screenshot(path=Path(PICTURES) / f"{name}-{width}.png", full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth") == width, (name, width)
    page.set_viewport_size({"width": 1440, "height": 900})
    results = run_axe(page)
    assert results.violations_count == 0, (name, results.generate_report())
    assert page.locator("h1").count() == 1
