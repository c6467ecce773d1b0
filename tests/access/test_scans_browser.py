"""A card scanner in Chromium on every page with a form that changes something: nothing is sent but a search (docs/adr/0284).

The pages come from this process and their requests are answered here, so that none of them needs a server. The page's clock
stands still while the scanner types. The short form looks at some pages, and at one focus of each kind; SITHS_LONG=1 at all.
"""

import os
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from playwright.sync_api import Browser, Page, Route

from siths_portal.lib import clock
from siths_portal.lib.pages import named_buttons
from tests import pressing
from tests.access.asking import content
from tests.access.row import Row
from tests.access.test_pages import FORMS, allowed
from tests.access.world import undone

LONG = bool(os.environ.get("SITHS_LONG"))
SERIAL = "9752100000000001123"
ORIGIN = "https://portal.test"
CHANGING = named_buttons.OTHERS | {"avbryt"}
ALWAYS = ("activate", "carrier_revoke", "held_revocations", "order_start")
"""Pages that the short form looks at, besides each eighth."""
STATIC = Path(settings.BASE_DIR) / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".png": "image/png"}
FOCUSES = """all => {
    const seen = new Set(), found = [document.body];
    for (const each of document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')) {
        const kind = `${each.tagName} ${each.type} ${each.value === 'utfor'} ${!!each.closest('main')}`;
        if (each.closest('dialog') || each.disabled || !each.checkVisibility() || (!all && seen.has(kind))) continue;
        seen.add(kind);
        found.push(each);
    }
    found.forEach((each, index) => each.setAttribute('data-focus', index));
    return found.length;
}"""
ANSWERS = """() => [...document.querySelectorAll('main form:not([data-scan-search])')].map((form) => [...form.elements].map(
    (field) => /checkbox|radio/.test(field.type) ? field.checked : field.dataset.scan === undefined ? field.value : ''))"""


class Stage:
    """A tab at one page of the portal, with what it sends."""

    def __init__(self, page: Page) -> None:
        self.page, self.html, self.path = page, "", ""
        self.sent: list[dict[str, list[str]]] = []
        page.route("**/*", self._answer)

    def _answer(self, route: Route) -> None:
        request, path = route.request, urlsplit(route.request.url).path
        file = STATIC / path.removeprefix("/static/")
        if request.method == "POST":
            self.sent.append(parse_qs(request.post_data or "") | {"": [path]})
            route.fulfill(status=204)
        elif path == self.path:
            route.fulfill(body=self.html, content_type="text/html; charset=utf-8")
        elif path.startswith("/static/") and file.is_file():
            route.fulfill(body=file.read_bytes(), content_type=TYPES.get(file.suffix, "text/plain"))
        else:
            route.fulfill(status=204)

    def open(self, path: str, html: str) -> None:
        self.path, self.html = path, html
        self.page.goto(ORIGIN + path)
        self.page.wait_for_load_state("load")

    def scan_from(self, focus: int) -> list[str]:
        """Returns what is wrong after a scan with the focus there."""
        self.sent.clear()
        page, place = self.page, self.page.locator(f"[data-focus='{focus}']")
        name = place.evaluate("e => (e.focus(), e.outerHTML.slice(0, 100))")
        before = page.evaluate(ANSWERS)
        page.keyboard.type(SERIAL)
        page.keyboard.press("Enter")
        page.clock.run_for(1000)
        for _ in range(40):
            if not self.sent:
                page.wait_for_timeout(25)
        wrong = [f"{name}: sent {sorted(each)}" for each in self.sent if changes(each)]
        if not self.sent:
            wrong.append(f"{name}: nothing is searched for")
        if page.evaluate(ANSWERS) != before:
            wrong.append(f"{name}: another answer stands in the form")
        page.evaluate("window.dispatchEvent(new PageTransitionEvent('pageshow'))")  # as if one came back
        return wrong


def changes(sent: dict[str, list[str]]) -> bool:
    """True if a request acts: by the named button, or by another one that does something."""
    return sent.get(named_buttons.BUTTON) == [named_buttons.ACT] or not CHANGING.isdisjoint(sent)


def pages() -> list[Row]:
    return [row for index, row in enumerate(FORMS) if LONG or index % 8 == 0 or row.name in ALWAYS]


@pytest.mark.soak
def test_a_scan_from_any_focus_of_any_page_only_searches(access: Any, browser: Browser) -> None:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.clock.install()
    stage = Stage(context.new_page())
    wrong, scans, looked = [], 0, 0
    for row in pages():
        with undone(), clock.moved_to(access.moment):
            client, path = allowed(access, row)
            answer = client.get(path)
            html = content(answer) if answer.status_code == 200 else ""
        if pressing.MAIN[named_buttons.BUTTON] not in html or "data-scan-search" not in html:
            continue  # a form on another page, or the page of one who may not search
        looked += 1
        stage.open(urlsplit(path).path, html)
        if looked == 1:
            stage.page.clock.pause_at(clock.now().timestamp() + 60)
        for focus in range(stage.page.evaluate(FOCUSES, LONG)):
            scans += 1
            wrong += [f"{row.name}: {fault}" for fault in stage.scan_from(focus)]
    context.close()
    print(f"{scans} scans on {looked} pages")
    assert looked >= len(pages()) // 3
    assert not wrong, "\n".join(wrong)
