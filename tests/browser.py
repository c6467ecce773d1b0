"""Chromium for tests: the fixture `browser`, pages in fresh contexts, and the rules that axe is asked for."""

import contextlib
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
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
