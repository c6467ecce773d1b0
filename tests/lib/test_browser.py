"""The pages in a real browser: no axe finding, no console message, no sideways scroll, and all of it by keyboard."""

import contextlib
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

from tests.lib.faces import serving
from tests.pki.status_world import World, make_keys

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = [
    ("portal", "/"),
    ("portal", "/tillganglighet/"),
    ("portal", "/finns/inte/"),
    ("minasidor", "/"),
    ("status", "/"),
]
AXE = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}


@pytest.fixture(scope="module")
def urls(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("browser")
    with contextlib.ExitStack() as stack:
        yield {face: stack.enter_context(serving(face, folder / face)) for face in ("portal", "minasidor", "status")}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield chromium
        chromium.close()


@contextlib.contextmanager
def page_at(browser: Browser, url: str, *, width: int = 1440, **options: object) -> Iterator[tuple[Page, list[str]]]:
    """A page in a fresh context, and what it wrote to the console."""
    context = browser.new_context(viewport={"width": width, "height": 900}, **options)  # type: ignore[arg-type]
    said: list[str] = []
    page = context.new_page()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(url)
    yield page, said
    context.close()


@pytest.mark.parametrize(("face", "path"), PAGES)
@pytest.mark.parametrize("options", [{}, {"forced_colors": "active"}], ids=["usual", "forced-colours"])
def test_axe_finds_nothing(urls: dict[str, str], browser: Browser, face: str, path: str, options: dict[str, str]) -> None:
    for width in (1440, 320):
        with page_at(browser, urls[face] + path, width=width, **options) as (page, said):
            results = Axe().run(page, options=AXE)
            assert results.violations_count == 0, results.generate_report()
            assert results.response["passes"], "axe ran no rule"
            assert [line for line in said if "404" not in line] == []


@pytest.mark.parametrize(("face", "path"), PAGES)
def test_a_page_reflows_at_320_pixels(urls: dict[str, str], browser: Browser, face: str, path: str) -> None:
    """WCAG 1.4.10, which is also 400 % zoom at 1280 pixels."""
    with page_at(browser, urls[face] + path, width=320) as (page, _):
        assert page.evaluate("document.documentElement.scrollWidth") == 320


@pytest.mark.parametrize(("face", "path"), PAGES)
def test_every_link_is_reached_and_seen_by_keyboard(urls: dict[str, str], browser: Browser, face: str, path: str) -> None:
    with page_at(browser, urls[face] + path) as (page, _):
        page.keyboard.press("Tab")
        skip = page.locator(":focus")
        assert skip.inner_text() == "Hoppa till innehållet"
        assert skip.bounding_box()["height"] >= 24  # type: ignore[index]
        reached = ["Hoppa till innehållet"]
        links = page.locator("a[href]").count()
        for _ in range(links * 2):
            page.keyboard.press("Tab")
            focused = page.locator(":focus")
            if focused.count() == 0 or focused.evaluate("e => e === document.body"):
                break
            outline = focused.evaluate("e => [getComputedStyle(e).outlineStyle, parseFloat(getComputedStyle(e).outlineWidth)]")
            assert outline[0] != "none"
            assert outline[1] >= 2, "WCAG 2.4.7: the focus must be seen"
            if focused.evaluate("e => e.matches('a[href]')"):
                reached.append(focused.inner_text())
        assert len(reached) == links
    with page_at(browser, urls[face] + path) as (page, _):
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "innehall"


def test_our_colours_and_the_design_system_are_loaded(urls: dict[str, str], browser: Browser) -> None:
    with page_at(browser, urls["portal"]) as (page, _):
        card = page.locator(".ds-card").first
        assert card.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(241, 247, 248)"
        assert card.evaluate("e => parseFloat(getComputedStyle(e).borderRadius)") > 0
        assert page.locator("h1").evaluate("e => getComputedStyle(e).color") == "rgb(4, 51, 59)"


@pytest.mark.django_db(transaction=True)
def test_the_list_of_authorities_fits_and_is_clean(urls: dict[str, str], browser: Browser) -> None:
    World(make_keys())
    for width in (1440, 390, 320):
        with page_at(browser, urls["status"], width=width) as (page, said):
            assert page.locator("tbody tr").count() == 3
            results = Axe().run(page, options=AXE)
            assert results.violations_count == 0, results.generate_report()
            assert page.evaluate("document.documentElement.scrollWidth") == width
            frame = page.locator(".table-frame").evaluate("e => [e.scrollWidth, e.clientWidth]")
            assert width < 1440 or frame[0] == frame[1], "at full width nothing is hidden behind a scroll bar"
            assert said == []
