"""Pictures of pages, compared with kept ones: strict on where things lie, tolerant to typefaces, dates and numbers.

A picture has one grey point for each 8 x 8 pixels, so letters blur to the grey of their line and boxes stay boxes. Digits, ids
and start codes read 0 while it is taken, so that no day and no number of a test changes the length of a line. The looks that
`tests/layout/pages.txt` names have kept pictures, `tests/layout/NAME-WIDTH.png`; SITHS_LAYOUT=keep writes them.
"""

import base64
import io
import os
import re
from functools import cache
from pathlib import Path

from PIL import Image, ImageChops
from playwright.sync_api import Error, Page

FOLDER = Path(__file__).parent / "layout"
POINT = 8
DIFFERENT = 40
"""From which difference of 255 a point is another one."""
CONTRAST = 5
"""The exponent that tells a white sheet from the pale ground."""
SHARE = 0.01
"""Which share of the points may be others: a name of a month is longer, another machine draws letters wider."""
TRIES = 4
"""The pictures that are taken of a page that is not yet drawn to its end, as after the window got another width."""
EDGE = 24
"""So many others in one row or column are an edge that moved, and no letters: what is written is one or two points high."""

_SAME = r"""() => {
  const id = /\b([0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9A-F]{8})\b|\b[a-z]{3,4}\.[\w-]{22}|\d/g, texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const chance = /\d|\b[A-F]{8}\b|\b[a-z]{3,4}\.[\w-]{22}/;
  for (let text; (text = walker.nextNode());) if (chance.test(text.data)) texts.push([text, text.data]);
  for (const [text, words] of texts) text.data = words.replace(id, (found) => "0".repeat(found.length));
  for (const hidden of document.querySelectorAll("img[src^='data:'], [data-copy-text]")) hidden.style.visibility = "hidden";
  const [left, top] = [scrollX, scrollY];  // what sticks to the screen's edge lies where the page is scrolled to
  scrollTo({ left: 0, top: 0, behavior: "instant" });
  window.putBack = () => {
    scrollTo({ left, top, behavior: "instant" });
    for (const [text, words] of texts) text.data = words;
    for (const hidden of document.querySelectorAll("img[src^='data:'], [data-copy-text]")) hidden.style.visibility = "";
  };
}"""


_DRAWN = """async () => {
  await document.fonts.ready;
  const ended = document.getAnimations().map((animation) => animation.finished.catch(() => {}));
  await Promise.race([Promise.all(ended), new Promise((later) => setTimeout(later, 1000))]);
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""
"""Waits until typefaces are there, transitions have ended, and the page was drawn again."""


@cache
def pages() -> dict[str, str]:
    """The looks whose pictures are kept, by the names of their files."""
    lines = (FOLDER / "pages.txt").read_text().splitlines()
    return {file_name(line): line for line in lines if line and not line.startswith("#")}


def file_name(look: str) -> str:
    """The name of a look as that of its pictures."""
    return re.sub(r"[^a-zåäö0-9]+", "-", look.lower())


def compare(page: Page, look: str) -> None:
    """Fails if the page lies otherwise than in its kept picture, if it has one. Keeps it instead if SITHS_LAYOUT=keep."""
    name, size = file_name(look), page.viewport_size
    assert size is not None
    if name not in pages():
        return
    kept = FOLDER / f"{name}-{size['width']}.png"
    if os.environ.get("SITHS_LAYOUT") == "keep":
        taken(page).quantize(16).save(kept, optimize=True)
        return
    problem = ""
    for _ in range(TRIES):
        problem = _problem(page, kept)
        if not problem:
            return
        page.evaluate(_DRAWN)
    assert not problem, (
        f"{look} at {size['width']} pixels: {problem}; look at it, and keep the new picture by SITHS_LAYOUT=keep if it is right"
    )


def _problem(page: Page, kept: Path) -> str:
    """What differs from the kept picture, or "". What Chromium says if it refuses a picture, as it did once after a resize."""
    try:
        return difference(taken(page).quantize(16).convert("L"), Image.open(kept).convert("L"))
    except Error as error:
        if "Unable to capture screenshot" not in error.message:
            raise
        return error.message


def taken(page: Page) -> Image.Image:
    """The whole page in grey, a point for each 8 x 8 pixels. Chromium draws it so small: a large one costs three times that."""
    page.evaluate(_SAME)
    session = page.context.new_cdp_session(page)
    try:
        size = session.send("Page.getLayoutMetrics")["cssContentSize"]
        clip = {"x": 0, "y": 0, "width": size["width"], "height": -(-size["height"] // POINT) * POINT, "scale": 1 / POINT}
        wanted = {"format": "png", "optimizeForSpeed": True, "captureBeyondViewport": True, "clip": clip}
        png = base64.b64decode(session.send("Page.captureScreenshot", wanted)["data"])
    finally:
        session.detach()
        page.evaluate("putBack()")
    picture = Image.open(io.BytesIO(png)).convert("L")
    return picture.point([round(255 * (grey / 255) ** CONTRAST) for grey in range(256)])


def difference(now: Image.Image, kept: Image.Image) -> str:
    """What differs between two pictures, or ""."""
    if now.size != kept.size:
        return f"{now.width} x {now.height} points in place of {kept.width} x {kept.height}"
    whole = (0, 0, kept.width, kept.height - 1)  # the last row is partly below the page
    others = ImageChops.difference(now.crop(whole), kept.crop(whole)).point([0] * DIFFERENT + [1] * (256 - DIFFERENT))
    share = sum(others.histogram()[1:]) / (now.width * now.height)
    if share > SHARE:
        return f"{share:.1%} of its points are others"
    for what, turned in (("row", others), ("column", others.transpose(Image.Transpose.TRANSPOSE))):
        points = turned.tobytes()
        for line in range(turned.height):
            if b"\1" * EDGE in points[line * turned.width : (line + 1) * turned.width]:
                return f"an edge moved in {what} {line}"
    return ""
