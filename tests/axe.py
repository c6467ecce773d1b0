"""The rules that axe is asked for on a page."""

from axe_playwright_python.base import AXE_SCRIPT, AxeResults
from playwright.sync_api import Page

# axe lists every element that violates a rule, and one element for each rule that passes. Nobody reads the passes.
AXE = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}
# Chromium reads a script of ASCII alone in a fifth less time. axe's few other characters stand in texts, which may escape them.
_SCRIPT = AXE_SCRIPT.encode("ascii", "backslashreplace").decode()
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
# moved or taken out of the flow. Each run begins without what an earlier run of the same document knew: elements have other
# looks then, and a text that lay beneath another may be seen.
_LOOKS_ASKED_ONCE = """
;(() => {
  let asked, known;
  const run = axe.run;
  axe.run = function (...args) {
    asked = new Set();
    known = new WeakMap();
    return run.apply(this, args);
  };
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


def run_axe(page: Page) -> AxeResults:
    """What axe finds on the page as it stands when all that fades has faded; it is brought once to each document."""
    page.evaluate(_MOVES_END)
    if page.evaluate("window.axe?.run === undefined"):
        page.evaluate(_SCRIPT + _COLOURS_READ_ONCE + _LOOKS_ASKED_ONCE)
    return AxeResults(page.evaluate("options => axe.run(options)", AXE))


def ask_axe(page: Page, name: str) -> None:
    """No finding of axe on the page as it stands."""
    results = run_axe(page)
    assert results.violations_count == 0, f"{name}: {results.generate_report()}"
    assert results.response["passes"], "axe ran no rule"
