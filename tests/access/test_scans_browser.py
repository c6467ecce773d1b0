"""A card scanner in Chromium on every page: nothing is sent but a search, which writes nothing else (docs/adr/0284).

The pages come from this process and their requests are answered here, so that none of them needs a server. The page's clock
stands still while the scanner types. The short form looks at some pages of some roles, and at one focus of each kind;
SITHS_LONG=1 at all.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Browser, Page, Route

from issuance.authz import Role
from issuance.records.models.events import Event
from siths_portal.lib import clock
from siths_portal.lib.pages import named_buttons
from tests import pressing
from tests.access.asking import Browser as Client
from tests.access.asking import content, statements, untold
from tests.access.matrix import ROWS
from tests.access.row import Row
from tests.access.test_pages import FORMS, allowed
from tests.access.walker import arguments_of, expected, relations, written
from tests.access.world import CALLERS, AccessWorld, Who, undone

LONG = bool(os.environ.get("SITHS_LONG"))
SERIAL = "9752100000000001123"
ORIGIN = "https://portal.test"
CHANGING = named_buttons.OTHERS | {"avbryt"}
ALWAYS = ("activate", "carrier_revoke", "held_revocations", "order_start", "paper_revocations", "person_revoke")
"""Pages that the short form looks at, besides each eighth."""
ROLES = tuple(
    who for who in CALLERS if not who.add_on and (LONG or who.role in (Role.REVOKER, Role.READER, Role.PKI_OPERATOR, None))
)
"""Callers whose pages are looked at one by one: who revokes, who only reads, who may not search, and who has no role."""
LOOKED_AT = list({row.name: row for row in reversed(ROWS) if row.method == "GET"}.values())
SEARCHED = {"search.made", "search.extended", "search.suspected", "certificate_search.made", "issuance_certificatesearch"}
STATIC = Path(settings.BASE_DIR) / "static"
TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".woff2": "font/woff2", ".png": "image/png"}
STYLES = "/static/css/joined.css"
SHEET = re.compile(r'<link rel="stylesheet" href="/static/([^"]+)">')
UNSEEN = re.compile(r'<link rel="(?:preload|icon)"[^>]*>')
FOCUSES = """all => {
    const seen = new Set(), found = [document.body];
    for (const each of document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')) {
        const kind = `${each.tagName} ${each.type} ${each.value === 'utfor'} ${!!each.closest('main')}`;
        if (each.closest('dialog, [data-scans]') || each.disabled || !each.checkVisibility()) continue;
        if (!all && seen.has(kind)) continue;
        seen.add(kind);
        found.push(each);
    }
    found.forEach((each, index) => each.setAttribute('data-focus', index));
    return found.length;
}"""
SEEN = """window.acts = [];
const note = (event) => {
    if ((event.submitter ?? event.target).name !== "sok") acts.push(`${event.type} ${event.target.outerHTML.slice(0, 80)}`);
};
addEventListener("click", note, true);
addEventListener("submit", note, true);
window.answers = () => [...document.querySelectorAll('main form:not([data-scan-search])')].map((form) => [...form.elements].map(
    (field) => /checkbox|radio/.test(field.type) ? field.checked : field.dataset.scan === undefined ? field.value : ''));"""
FOCUS = """focus => {
    const place = document.querySelector(`[data-focus="${focus}"]`);
    place.focus();
    acts.length = 0;
    const check = document.querySelector('[data-check]');
    const fills = check !== null && place.name !== 'text' && check.form.querySelector('button')?.value === 'visa';
    if (fills) check.value = '';
    return [place.outerHTML.slice(0, 100), answers(), !fills && !!(check ?? document.querySelector('[data-scan-search]')), fills];
}"""
"""What has the focus, and what a scan from there does: it searches or checks, or fills the check field of a form that acts."""
COME_BACK = """() => {
    const found = [acts, answers()];
    window.dispatchEvent(new PageTransitionEvent('pageshow'));
    return found;
}"""
"""What a scan has done, as it is when somebody comes back to the page."""


class Stage:
    """A tab at one page of the portal, with what it sends."""

    def __init__(self, page: Page) -> None:
        self.page, self.html, self.path, self.styles = page, "", "", ""
        self.sent: list[dict[str, list[str]]] = []
        self.gone_to: list[str] = []
        self.clock_stands = False
        page.route("**/*", self._answer)
        page.add_init_script(SEEN)

    def _answer(self, route: Route) -> None:
        request, path = route.request, urlsplit(route.request.url).path
        file = STATIC / path.removeprefix("/static/")
        if request.is_navigation_request() and request.method == "GET":
            self.gone_to.append(path)
        if request.method == "POST":
            self.sent.append(parse_qs(request.post_data or "") | {"": [path]})
            route.fulfill(status=204)
        elif path == self.path:
            route.fulfill(body=self.html, content_type="text/html; charset=utf-8")
        elif path == STYLES:
            route.fulfill(body=self.styles, content_type=TYPES[".css"])
        elif path.startswith("/static/") and file.is_file():
            route.fulfill(body=file.read_bytes(), content_type=TYPES.get(file.suffix, "text/plain"))
        else:
            route.fulfill(status=204)

    def open(self, path: str, html: str) -> None:
        """Shows the page, with its style sheets joined in their order: each request passes through this process."""
        joined = iter([f'<link rel="stylesheet" href="{STYLES}">'])
        self.path, self.html = path, SHEET.sub(lambda _found: next(joined, ""), UNSEEN.sub("", html))
        self.styles = "\n".join((STATIC / each).read_text() for each in SHEET.findall(html))
        self.page.goto(ORIGIN + path)
        self.page.wait_for_load_state("load")
        if not self.clock_stands:
            self.page.clock.pause_at(self.page.evaluate("Date.now()") / 1000 + 60)
            self.clock_stands = True

    def scan_from(self, focus: int) -> list[str]:
        """Returns what is wrong after a scan with the focus there (`FOCUS`)."""
        self.sent.clear()
        self.gone_to.clear()
        page = self.page
        name, before, searches, fills = page.evaluate(FOCUS, focus)
        page.keyboard.type(SERIAL)
        page.keyboard.press("Enter")
        page.clock.run_for(1000)
        for _ in range(40):
            if searches and not self.sent:
                page.wait_for_timeout(25)
        held = page.evaluate("document.querySelector('[data-check]')?.value")
        acts, after = page.evaluate(COME_BACK)
        wrong = [f"{name}: sent {sorted(each)}" for each in self.sent if changes(each)]
        wrong += [f"{name}: left for {path}" for path in self.gone_to]
        if searches and not self.sent:
            wrong.append(f"{name}: nothing is searched for")
        if fills and not self.sent and held != SERIAL:
            wrong.append(f"{name}: {held!r} stands in the field for the card")
        if not searches and not fills and acts:
            wrong.append(f"{name}: {acts} happened")
        if after != before:
            wrong.append(f"{name}: another answer stands in the form")
        return wrong


def changes(sent: dict[str, list[str]]) -> bool:
    """True if a request acts: by the named button, or by another one that does something."""
    return sent.get(named_buttons.BUTTON) == [named_buttons.ACT] or not CHANGING.isdisjoint(sent)


def pages() -> list[Row]:
    return [row for index, row in enumerate(FORMS) if LONG or index % 8 == 0 or row.name in ALWAYS]


@pytest.fixture
def stage(browser: Browser) -> Iterator[Stage]:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.clock.install()
    yield Stage(context.new_page())
    context.close()


def thrown(stage: Stage, path: str, html: str) -> tuple[int, list[str], list[dict[str, list[str]]]]:
    """Throws a scan at each focus of the page. Returns how many, what is wrong, and what was sent, each form once."""
    stage.open(urlsplit(path).path, html)
    wrong, sent = [], []
    focuses = stage.page.evaluate(FOCUSES, LONG)
    for focus in range(focuses):
        wrong += stage.scan_from(focus)
        sent += [each for each in stage.sent if each not in sent]
    return focuses, wrong, sent


@pytest.mark.soak
def test_a_scan_from_any_focus_of_any_page_only_searches(access: Any, stage: Stage) -> None:
    wrong, scans, looked = [], 0, 0
    for row in pages():
        with undone(), clock.moved_to(access.moment):
            client, path = allowed(access, row)
            answer = client.get(path)
            html = content(answer) if answer.status_code == 200 else ""
        if pressing.MAIN[named_buttons.BUTTON] not in html or "data-scan-search" not in html:
            continue  # a form on another page, or the page of one who may not search
        looked += 1
        thrown_here, faults, _sent = thrown(stage, path, html)
        scans += thrown_here
        wrong += [f"{row.name}: {fault}" for fault in faults]
    print(f"{scans} scans on {looked} pages")
    assert looked >= len(pages()) // 3
    assert not wrong, "\n".join(wrong)


@pytest.mark.soak
@pytest.mark.parametrize("who", ROLES, ids=str)
def test_a_scan_on_a_page_of_a_role_writes_nothing_but_the_search(access: Any, stage: Stage, who: Who) -> None:
    wrong, scans, looked = [], 0, 0
    rows = [row for row in LOOKED_AT if shows_a_page(row, who)]
    for row in rows[:: 1 if LONG else 6]:
        with undone(), clock.moved_to(access.moment), untold():
            client, path = as_caller(access, row, who)
            answer = client.get(path)
            if "<main" not in (html := content(answer)):
                continue  # a file
            looked += 1
            thrown_here, faults, sent = thrown(stage, path, html)
            scans += thrown_here
            wrong += [f"{row.name}: {fault}" for fault in (*faults, *written_by(client, sent))]
    print(f"{scans} scans on {looked} pages of {who}")
    assert looked
    assert not wrong, "\n".join(wrong)


def shows_a_page(row: Row, who: Who) -> bool:
    """True if this caller gets a page there; of those without a role, also the page that refuses Dagen."""
    status = expected(row, who, relations(row, who)[0])
    return status == 200 or (who.role is None and row.name == "day")


def as_caller(access: AccessWorld, row: Row, who: Who) -> tuple[Client, str]:
    """The caller's browser, and the row's address."""
    arguments = arguments_of(row, access, who, relations(row, who)[0])
    path = reverse(row.name, args=(*arguments, *row.more) if arguments else ()) if "/" not in row.name else f"/{row.name}"
    return Client({settings.SESSION_COOKIE_NAME: access.sessions[who]}), path


def written_by(client: Client, sent: list[dict[str, list[str]]]) -> list[str]:
    """What the portal writes for these forms, besides searches."""
    wrong = []
    for form in sent:
        (path,) = form[""]
        before = set(Event.objects.values_list("pk", flat=True))
        with undone(), statements() as asked:
            client.post(path, {name: values for name, values in form.items() if name})
            events = set(Event.objects.exclude(pk__in=before).values_list("action", flat=True))
        wrong += [f"the scan sent to {path} writes {found}" for found in (written(asked) | events) - SEARCHED]
    return wrong
