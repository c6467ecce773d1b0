"""A look at a page in some state: axe, reflow, one h1, no word in the console; pictures at two widths where they are wanted."""

import os
import re
from pathlib import Path

from django.conf import settings
from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests import layout_pictures
from tests.axe import ask_axe
from tests.browser import PICTURES, whole
from tests.targets import small_targets

WIDE, NARROW, HEIGHT = 1440, 390, 900
TOUR = Path(settings.BASE_DIR) / "docs" / "tour"


class Looker:
    """Looks at the pages of one walk. `series` names the folder of its pictures in the folder PAGE_PICTURES."""

    def __init__(self, series: str) -> None:
        self.series = series
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
        page.wait_for_load_state("load")
        ask_axe(page, name)
        stem = self._look_at_the_wide_window(page, name, tour)
        layout_pictures.compare(page, f"{self.series} {name}")
        page.set_viewport_size({"width": NARROW, "height": HEIGHT})
        width, small = page.evaluate("document.documentElement.scrollWidth"), small_targets(page)
        self.keep(page, f"{stem}-{NARROW}.png")
        layout_pictures.compare(page, f"{self.series} {name}")
        page.set_viewport_size({"width": WIDE, "height": HEIGHT})
        assert width <= NARROW, f"{name}: {width} pixels wide on a screen of {NARROW}"
        assert small == [], f"{name}: targets that are too small on a phone: {small}"
        assert self.said == [], f"{name}: {self.said}"

    def show(self, page: Page, name: str, *, tour: str = "") -> None:
        """`look` without axe and the narrow window, for a page that another test looks at in the same state."""
        page.wait_for_load_state("load")
        stem = self._look_at_the_wide_window(page, name, tour)
        if self.folder is not None:
            page.set_viewport_size({"width": NARROW, "height": HEIGHT})
            self.keep(page, f"{stem}-{NARROW}.png")
            page.set_viewport_size({"width": WIDE, "height": HEIGHT})
        assert self.said == [], f"{name}: {self.said}"

    def _look_at_the_wide_window(self, page: Page, name: str, tour: str) -> str:
        """Counts the h1 and keeps the wanted pictures. Returns how the names of the look's pictures begin."""
        self.count += 1
        assert page.locator("h1").count() == 1, f"{name}: {page.locator('h1').all_inner_texts()}"
        stem = f"{self.count:02}-{re.sub(r'[^a-zåäö0-9]+', '-', name.lower())}"
        self.keep(page, f"{stem}-{WIDE}.png")
        if tour and os.environ.get("SITHS_TOUR"):
            keep_for_tour(page, tour)
        return stem

    def keep(self, page: Page, name: str) -> None:
        """Keeps a picture of the page as it stands, if pictures are wanted."""
        if self.folder is not None:
            (self.folder / name).write_bytes(whole(page))


def keep_for_tour(page: Page, name: str) -> None:
    """A picture for docs/tour/, in a palette of 128 colours, which halves its bytes and shows no difference."""
    import io

    from PIL import Image

    TOUR.mkdir(parents=True, exist_ok=True)
    image = Image.open(io.BytesIO(whole(page))).convert("RGB")
    image.quantize(128, dither=Image.Dither.NONE).save(TOUR / f"{name}.png", optimize=True)
