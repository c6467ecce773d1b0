"""Targets on a phone: at least 24 by 24 pixels, or as far from others as if they were (WCAG 2.2, 2.5.8)."""

from playwright.sync_api import Page

# A link within a sentence is exempt, and so is a field that the browser draws and a label makes larger.
_SMALL = """() => {
  const least = 24, shown = each => each.checkVisibility({ visibilityProperty: true }) && each.getClientRects().length;
  const targets = [...document.querySelectorAll("a[href], button, summary, select, textarea, input:not([type=hidden])")]
    .filter(shown).map(each => ({ each, box: each.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 1 && box.height > 1);
  const inText = each => getComputedStyle(each).display === "inline" && [...each.parentElement.childNodes].some(
    node => node !== each && node.nodeType === Node.TEXT_NODE && node.textContent.trim().length > 1);
  const middle = box => [box.left + box.width / 2, box.top + box.height / 2];
  const isSmall = ({ each, box }) => (box.width < least || box.height < least) && !inText(each) && !each.labels?.length;
  const small = targets.filter(isSmall);
  const near = one => targets.find(other => {
    if (other === one || other.each.contains(one.each) || one.each.contains(other.each)) return false;
    const [x, y] = middle(one.box), [x2, y2] = middle(other.box);
    if (small.includes(other)) return Math.hypot(x - x2, y - y2) < least;
    const dx = Math.max(other.box.left - x, 0, x - other.box.right), dy = Math.max(other.box.top - y, 0, y - other.box.bottom);
    return Math.hypot(dx, dy) < least / 2;
  });
  const told = ({ each, box }) => `${each.outerHTML.slice(0, 90)} (${Math.round(box.width)} x ${Math.round(box.height)})`;
  return small.filter(near).map(one => `${told(one)} near ${told(near(one))}`);
}"""


def small_targets(page: Page) -> list[str]:
    """The targets of the page that are too small and too near to another one."""
    found: list[str] = page.evaluate(_SMALL)
    return found
