"""A look at a page in some state: axe, reflow, one h1, no word in the console; pictures at two widths where they are wanted."""

import hashlib
import os
import re
from pathlib import Path

from django.conf import settings
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.browser import PICTURES, run_axe

WIDE, NARROW, HEIGHT = 1440, 390, 900
TOUR = Path(settings.BASE_DIR) / "docs" / "tour"

# All that axe's rules go by: elements with their attributes and states, which words are the same, and how they are drawn. What
# persons, numbers and dates stand there is left out: words are counted in the order in which they are first met.
_STATE = r"""() => {
  const met = new Map();
  const count = (word) => met.get(word) ?? (met.set(word, met.size), met.size - 1);
  const words = (text) =>
    text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[\p{L}\p{N}_]+/gu, count).replace(/\s+/g, " ");
  const counted = new RegExp("^(alt|title|value|placeholder|id|for|name|href|action|formaction|src|form|list|headers|datetime"
    + "|nonce|hx-.*|data-.*"
    + "|aria-(label|description|controls|labelledby|describedby|owns|activedescendant|details|errormessage))$");
  const drawn = ["color", "background-color", "background-image", "display", "visibility", "opacity", "font-size",
                 "font-weight", "text-decoration-line", "text-shadow", "position"];
  const state = (e) => [e.disabled, e.checked, e.open, e.required, e.readOnly, e.indeterminate, Boolean(e.value)].map(Number);
  const scrolls = (e) => [e.scrollWidth > e.clientWidth, e.scrollHeight > e.clientHeight].map(Number);
  const place = (e) => {  // of a target: how large, and where it stands if it is small
    if (!e.matches("a, button, input, select, textarea, summary, label, [tabindex], [role]")) return [];
    const box = e.getBoundingClientRect(), large = Math.min(box.width, box.height) >= 24;
    return large ? ["large"] : [box.x, box.y, box.width, box.height].map(Math.round);
  };
  const parts = [];
  const add = (node) => {
    if (node.nodeType === Node.TEXT_NODE) parts.push(words(node.data));
    if (node.nodeType !== Node.ELEMENT_NODE && node.nodeType !== Node.DOCUMENT_FRAGMENT_NODE) return;
    if (["SCRIPT", "STYLE"].includes(node.tagName)) return;
    if (node.tagName) {
      const style = getComputedStyle(node);
      parts.push("<", node.tagName, ...[...node.attributes].map((a) =>
        `${a.name}=${counted.test(a.name) ? words(a.value) : a.value}`),
        ...state(node), ...scrolls(node), ...place(node), ...drawn.map((name) => style.getPropertyValue(name)));
    }
    if (node.shadowRoot) add(node.shadowRoot);
    node.childNodes.forEach(add);
    parts.push(">");
  };
  add(document.documentElement);
  return parts.join(" ");
}"""
_passed: set[str] = set()


class Looker:
    """Looks at the pages of one walk. `series` names the folder of its pictures in the folder PAGE_PICTURES."""

    def __init__(self, series: str) -> None:
        self.folder = Path(PICTURES) / series if PICTURES else None
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            for earlier in self.folder.glob("*.png"):
                earlier.unlink(missing_ok=True)
        self.count = 0
        self.said: list[str] = []

    def follow(self, context: BrowserContext) -> None:
        """Remembers the errors and warnings of the context's pages."""
        context.on("console", self._note)
        context.on("weberror", lambda error: self.said.append(f"error: {error.error}"))

    def _note(self, message: ConsoleMessage) -> None:
        """Notes of the browser's own, and a form that came back with what is wrong in it, are no faults."""
        if message.type not in ("error", "warning") or "status of 422" in message.text:
            return
        self.said.append(f"{message.type}: {message.text}")

    def look(self, page: Page, name: str, *, tour: str = "") -> None:
        """Checks the page as it stands. `tour` names a picture of the README's tour (SITHS_TOUR=1)."""
        self.count += 1
        page.wait_for_load_state("load")
        ask_axe(page, name)
        assert page.locator("h1").count() == 1, f"{name}: {page.locator('h1').all_inner_texts()}"
        stem = f"{self.count:02}-{re.sub(r'[^a-zåäö0-9]+', '-', name.lower())}"
        self.keep(page, f"{stem}-{WIDE}.png")
        if tour and os.environ.get("SITHS_TOUR"):
            keep_for_tour(page, tour)
        page.set_viewport_size({"width": NARROW, "height": HEIGHT})
        width = page.evaluate("document.documentElement.scrollWidth")
        self.keep(page, f"{stem}-{NARROW}.png")
        page.set_viewport_size({"width": WIDE, "height": HEIGHT})
        assert width <= NARROW, f"{name}: {width} pixels wide on a screen of {NARROW}"
        assert self.said == [], f"{name}: {self.said}"

    def keep(self, page: Page, name: str) -> None:
        """Keeps a picture of the page as it stands, if pictures are wanted."""
        if self.folder is not None:
            page.screenshot(path=self.folder / name, full_page=True)


def ask_axe(page: Page, name: str) -> None:
    """No finding of axe. A state that passed in this process is not asked about again (ADR 0202); one with frames always is."""
    state = hashlib.sha256(page.evaluate(_STATE).encode()).hexdigest()
    if state in _passed and len(page.frames) == 1:
        return
    results = run_axe(page)
    assert results.violations_count == 0, f"{name}: {results.generate_report()}"
    assert results.response["passes"], "axe ran no rule"
    _passed.add(state)


def keep_for_tour(page: Page, name: str) -> None:
    """A picture for docs/tour/, in a palette of 128 colours, which halves its bytes and shows no difference."""
    import io

    from PIL import Image

    TOUR.mkdir(parents=True, exist_ok=True)
    image = Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(TOUR / f"{name}.png", optimize=True)
