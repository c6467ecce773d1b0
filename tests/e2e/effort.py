"""What a walk costs whoever does it: pages, clicks and keys, and the minutes that these come to by the keystroke-level model."""

from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, Locator, Request

from tests.e2e.hands import Mouse

KEY, POINT, CLICK, HOME, THINK = 0.28, 1.1, 0.2, 0.4, 1.35
"""Seconds of Card, Moran and Newell's operators (1983): an average typist's key, pointing, the button, the hand to the other
device and back to where it was, and making up one's mind before an act."""
READ = 5.0
"""Seconds for finding one's way on a page that one has not seen before, which the model, made for those who know, leaves out."""


@dataclass
class Effort:
    """Counts of a walk, and what they come to."""

    pages: int = 0
    clicks: int = 0
    fields: int = 0
    keys: int = 0

    @property
    def seconds(self) -> float:
        """By the model: each page is read, each act is thought of, pointed at and clicked, a field's text is typed."""
        acts = self.clicks + self.fields
        return self.pages * READ + acts * (THINK + POINT + CLICK) + self.fields * 2 * HOME + self.keys * KEY

    def __add__(self, other: "Effort") -> "Effort":
        return Effort(self.pages + other.pages, self.clicks + other.clicks, self.fields + other.fields, self.keys + other.keys)

    def watch(self, context: BrowserContext) -> None:
        """Counts the pages that are opened from now on."""
        context.on("request", self._opened)

    def _opened(self, request: Request) -> None:
        if request.is_navigation_request() and request.frame.parent_frame is None and request.redirected_from is None:
            self.pages += 1


@dataclass
class CountedMouse(Mouse):
    """A mouse whose acts are counted."""

    effort: Effort = field(default_factory=Effort)

    def press(self, element: Locator) -> None:
        self.effort.clicks += 1
        super().press(element)

    def write(self, element: Locator, text: str) -> None:
        self.effort.fields += 1
        self.effort.keys += len(text)
        super().write(element, text)

    def choose(self, element: Locator) -> None:
        self.effort.clicks += 1
        super().choose(element)

    def attach(self, element: Locator, file: Path) -> None:
        self.effort.clicks += 1
        super().attach(element, file)
