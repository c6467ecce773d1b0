"""The rules that axe is asked for on a page, and the states of pages that passed them in this run."""

import hashlib
import os
from pathlib import Path

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page

# axe lists every element that violates a rule, and one element for each rule that passes. Nobody reads the passes.
AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}
# axe parses a colour again for each layer behind each text. This patch keeps the result for each colour text (ADR 0105).
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

# Most of axe's time goes to the contrast of texts, each by itself, though most look the same. This patch asks for one text of
# each look: its colours and type, and each ancestor's background and effects. A text is always asked about if its look does not
# tell what lies behind it: if it is larger than the box that gives the background, or if it, or an ancestor within that box, is
# moved or taken out of the flow.
_LOOKS_ASKED_ONCE = """
;(() => {
  const asked = new Set(), known = new WeakMap();
  const look = (element) => {
    if (!element) return { text: "", moved: false, box: null };
    if (known.has(element)) return known.get(element);
    const style = getComputedStyle(element), above = look(element.parentElement);
    const drawn = [style.backgroundColor, style.backgroundImage, style.opacity, style.filter, style.mixBlendMode,
                   style.clipPath, style.maskImage].join();
    const solid = style.backgroundColor.startsWith("rgb(") && style.backgroundImage === "none";  // hides what lies behind it
    const moved = !solid && (above.moved || style.transform !== "none" || style.float !== "none" || style.margin.includes("-")
      || style.position !== "static" && !(style.position === "relative" && style.inset === "auto"));
    const own = drawn === "rgba(0, 0, 0, 0),none,1,none,normal,none,none" ? "" : `>${drawn}`;
    const found = { text: above.text + own, moved, box: own ? element.getBoundingClientRect() : above.box };
    known.set(element, found);
    return found;
  };
  const rule = axe._audit.rules.find((each) => each.id === "color-contrast");
  const concerns = rule.matches;
  rule.matches = function (element, ...rest) {
    if (!concerns.call(this, element, ...rest)) return false;
    const { text, moved, box } = look(element), style = getComputedStyle(element), own = element.getBoundingClientRect();
    const within = box && own.left >= box.left && own.right <= box.right && own.top >= box.top && own.bottom <= box.bottom;
    if (moved || !within || element.scrollWidth > element.clientWidth && style.display !== "inline") return true;
    const key = [text, style.color, style.fontSize, style.fontWeight, style.textShadow, style.webkitTextStrokeWidth].join(";");
    return !asked.has(key) && Boolean(asked.add(key));
  };
})();
"""

# But for what moves without end, as what waits does.
_MOVES_END = """() => Promise.allSettled(
  document.getAnimations()
    .filter(each => each.playState === "running" && each.effect.getComputedTiming().endTime < Infinity)
    .map(each => each.finished)
)"""

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
  const parts = [innerWidth];
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


def run_axe(page: Page) -> AxeResults:
    """What axe finds on the page as it stands when all that fades has faded; it is brought once to each document."""
    page.evaluate(_MOVES_END)
    if page.evaluate("window.axe?.run === undefined"):
        page.evaluate(AXE_SCRIPT + _COLOURS_READ_ONCE + _LOOKS_ASKED_ONCE)
    return AxeResults(page.evaluate("options => axe.run(options)", AXE))


def ask_axe(page: Page, name: str) -> None:
    """No finding of axe. A state that passed in this run at this width is not asked about again (ADR 0105).

    A page with frames is always asked about.
    """
    state = hashlib.sha256(page.evaluate(_STATE).encode()).hexdigest()
    # An empty file for each, in the folder of the whole run, since its test processes meet many of the same.
    passed = Path(os.environ["SITHS_TEST_TEMPLATE"]).with_name("passed-axe")
    if (passed / state).exists() and len(page.frames) == 1:
        return
    results = run_axe(page)
    assert results.violations_count == 0, f"{name}: {results.generate_report()}"
    assert results.response["passes"], "axe ran no rule"
    passed.mkdir(exist_ok=True)
    (passed / state).touch()
