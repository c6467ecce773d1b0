"""The pages in a real browser: no axe finding, no console message, no sideways scroll, and all of it by keyboard."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests import layout_pictures
from tests.axe import AXE, ask_axe, run_axe
from tests.browser import browser, page_at
from tests.lib.faces import KeptPortal, serving
from tests.targets import small_targets

__all__ = ["browser"]  # a fixture

PAGES = [
    ("portal", "/"),
    ("portal", "/tillganglighet/"),
    ("portal", "/hjalp/"),
    ("portal", "/finns/inte/"),
    ("minasidor", "/"),
    ("status", "/"),
]
COMPONENTS = "/komponenter/"
PICTURED = {
    ("portal", "/"): "frame start",
    ("portal", "/tillganglighet/"): "frame accessibility",
    ("portal", "/finns/inte/"): "frame not found for nobody",
    ("portal", COMPONENTS): "komponenter",
}
"""The pages whose pictures are kept."""
COLOURS: list[dict[str, Any]] = [
    {"color_scheme": "light", "forced_colors": "none"},
    {"color_scheme": "light", "forced_colors": "active"},
    {"color_scheme": "dark", "forced_colors": "none"},
]

# Of what has the focus, unless that is the page itself: how its outline is drawn, and a link's text.
FOCUSED = """() => {
  const e = document.querySelector(":focus");
  if (!e || e === document.body) return null;
  const style = getComputedStyle(e);
  return [style.outlineStyle, parseFloat(style.outlineWidth), e.matches("a[href]") ? e.innerText : null];
}"""


@pytest.fixture(scope="module")
def urls(kept_portal: KeptPortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    folder = tmp_path_factory.mktemp("browser")
    with contextlib.ExitStack() as stack:
        others = {face: stack.enter_context(serving(face, folder / face)) for face in ("minasidor", "status")}
        yield {"portal": kept_portal.url(), **others}


@pytest.mark.parametrize(("face", "path"), [*PAGES, ("portal", COMPONENTS)])
def test_axe_finds_nothing(urls: dict[str, str], browser: Browser, face: str, path: str) -> None:
    """The page is loaded once: colours are asked for by style sheets alone, which Chromium applies anew."""
    with page_at(browser, urls[face] + path) as (page, said):
        assert page.locator("h1").count() == 1
        if path == COMPONENTS:
            our_colours_and_the_design_system_are_loaded(page)
        it_lies_as_before(page, PICTURED.get((face, path), ""))
        for colours in COLOURS:
            page.emulate_media(**colours)
            for width in (1440, 320):
                page.set_viewport_size({"width": width, "height": 900})
                ask_axe(page, f"{colours} at {width}")
            assert page.evaluate("document.documentElement.scrollWidth") == 320  # WCAG 1.4.10: also 400 % zoom at 1280 pixels
        assert [line for line in said if "404" not in line] == []


def it_lies_as_before(page: Page, name: str) -> None:
    """As in the kept pictures, if it has any; no sideways scroll, and targets that are large enough on a phone."""
    for width in (1440, 390, 320):
        page.set_viewport_size({"width": width, "height": 900})
        if width != 320:
            layout_pictures.compare(page, name)
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert width == 1440 or small_targets(page) == [], width


def our_colours_and_the_design_system_are_loaded(page: Page) -> None:
    button = page.get_by_role("button", name="Beställ kortet").first
    assert button.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(15, 95, 108)"
    assert button.evaluate("e => parseFloat(getComputedStyle(e).borderRadius)") > 0
    assert page.locator("h1").evaluate("e => getComputedStyle(e).color") == "rgb(4, 51, 59)"


def test_axe_finds_poor_contrast_as_it_does_by_itself(browser: Browser) -> None:
    """However a colour is written, and where it stands twice, beneath another, or half seen through."""
    colours = ["#999", "rgb(1 2 3 / .3)", "oklch(60% .1 200)", "hsl(120deg 40% 50%)", "white", "transparent"]
    places = "".join(
        f'<div style="background-color:{under}"><p style="color:{text}">{text} on {under}</p></div>'
        for under in colours
        for text in colours
    )
    answers = []
    for ask in (lambda page: Axe().run(page, options=AXE), run_axe):
        with page_at(browser, "about:blank") as (page, _):
            page.set_content(f'<!doctype html><html lang="sv"><title>Färger</title><main><h1>Färger</h1>{places}</main>')
            answers.append(ask(page).response["violations"])
    plain, found = answers
    assert [one["id"] for one in found] == ["color-contrast"]
    assert 10 < len(found[0]["nodes"]) < len(colours) ** 2
    assert found == plain


@pytest.mark.parametrize(
    ("box", "text"),
    [
        ("height:1px", ""),
        ("", "position:absolute;top:300px"),
        ("", "position:relative;top:200px"),
        ("", "transform:translateY(200px)"),
        ("height:1px", "margin:200px 0 -200px"),
        ("height:0", "float:right"),
        ("opacity:.3", ""),
    ],
)
def test_axe_finds_poor_contrast_where_a_text_of_the_same_look_has_enough(browser: Browser, box: str, text: str) -> None:
    """The second text has the first one's colours and lies on the dark page, or is half seen through."""
    places = "".join(
        f'<div style="background-color:#fff;width:300px;{of_box}"><p style="color:#333;margin:0;{of_text}">Text</p></div>'
        for of_box, of_text in (("", ""), (box, text))
    )
    page_text = (
        f'<body style="background-color:#222;height:800px;margin:0"><main><h1 style="color:#fff">Färger</h1>{places}</main>'
    )
    answers = []
    for ask in (lambda page: Axe().run(page, options=AXE), run_axe):
        with page_at(browser, "about:blank") as (page, _):
            page.set_content(f'<!doctype html><html lang="sv"><title>Färger</title>{page_text}')
            answers.append([(one["id"], len(one["nodes"])) for one in ask(page).response["violations"]])
    assert answers == [[("color-contrast", 1)], [("color-contrast", 1)]]


def test_axe_finds_poor_contrast_that_comes_between_two_runs(browser: Browser) -> None:
    """The ground of an ancestor changes, as after a swap of htmx; then what is beneath another text is laid open."""
    places = '<div id="ground" style="background-color:#fff"><p style="color:#333;margin:0">Text</p></div>'
    cover = '<p id="cover" style="position:absolute;top:0;left:0;width:100%;height:800px;margin:0;background-color:#fff"></p>'
    with page_at(browser, "about:blank") as (page, _):
        page.set_content(f'<!doctype html><html lang="sv"><title>Färger</title><main><h1>Färger</h1>{places}</main>')
        assert run_axe(page).violations_count == 0
        page.evaluate("ground.style.backgroundColor = '#222'")
        assert [one["id"] for one in run_axe(page).response["violations"]] == ["color-contrast"]
        page.evaluate("cover => document.body.insertAdjacentHTML('beforeend', cover)", cover)
        assert run_axe(page).violations_count == 0
        page.evaluate("cover.remove()")
        assert [one["id"] for one in run_axe(page).response["violations"]] == ["color-contrast"]


@pytest.mark.parametrize(("face", "path"), PAGES)
def test_every_link_is_reached_and_seen_by_keyboard(urls: dict[str, str], browser: Browser, face: str, path: str) -> None:
    with page_at(browser, urls[face] + path) as (page, _):
        page.keyboard.press("Tab")
        skip = page.locator(":focus")
        assert skip.inner_text() == "Hoppa till innehållet"
        assert skip.bounding_box()["height"] >= 24  # type: ignore[index]
        reached = ["Hoppa till innehållet"]
        links = page.locator("a[href]").filter(visible=True).count()  # one is for narrow screens alone
        for _ in range(links * 2):
            page.keyboard.press("Tab")
            focused = page.evaluate(FOCUSED)
            if focused is None:
                break
            style, outline, name = focused
            assert style != "none"
            assert outline >= 2, "WCAG 2.4.7: the focus must be seen"
            if name is not None:
                reached.append(name)
        assert len(reached) == links
        page.get_by_role("link", name="Hoppa till innehållet").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#innehall")).to_be_focused()
