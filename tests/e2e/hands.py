"""Ways of working with a page: by mouse, by keyboard alone, and by keyboard where the mouse could. A walk is written once."""

import contextlib
import time
from pathlib import Path
from typing import Protocol

from playwright.sync_api import Error, FileChooser, Locator, Page, TimeoutError, expect

MOST_TABS = 150
PACE = 60
"""Milliseconds between two keys of a person: eight keys that come faster are a scanner's (docs/adr/0284)."""
SECONDS_TO_DRAW = 30
_HOW_FOCUS_IS_SEEN = """e => {
    const ring = (o) => {
        const s = getComputedStyle(o);
        return s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) >= 2 || s.boxShadow !== 'none';
    };
    const box = e.getBoundingClientRect();
    return {ring: ring(e) || (e.labels && [...e.labels].some(ring)) || ring(e.parentElement),
            inView: box.bottom > 0 && box.top < innerHeight};
}"""

# How many presses of Tab at least lie between what has the focus and the element: one for each of what Tab surely stops at.
_WHERE = """e => {
    const from = document.activeElement ?? document.body, after = Node.DOCUMENT_POSITION_FOLLOWING;
    const stops = "a[href], button, input:not([type=hidden], [type=radio]), select, textarea, summary";
    const between = [...document.querySelectorAll(stops)].filter(each =>
        from.compareDocumentPosition(each) & after && each.compareDocumentPosition(e) & after
        && each.tabIndex >= 0 && !each.matches(":disabled") && each.checkVisibility({visibilityProperty: true}));
    return [e.isConnected, e === from, between.length];
}"""


class Hands(Protocol):
    """What a walk asks for. Each act is on one element, which must be there."""

    name: str

    def press(self, element: Locator) -> None: ...

    def write(self, element: Locator, text: str) -> None: ...

    def choose(self, element: Locator) -> None: ...

    def attach(self, element: Locator, file: Path) -> None: ...

    def scan(self, page: Page, text: str) -> None: ...


class Mouse:
    """Points and clicks; text comes in as it is."""

    name = "mus"

    def press(self, element: Locator) -> None:
        element.click()
        _let_come(element.page)

    def write(self, element: Locator, text: str) -> None:
        element.click()
        element.fill(text)

    def choose(self, element: Locator) -> None:
        label = _label(element)
        if label:
            label.click()
        else:
            element.check()
        assert element.is_checked()

    def attach(self, element: Locator, file: Path) -> None:
        with element.page.expect_file_chooser() as chooser:
            element.click()
        chooser.value.set_files(file)

    def scan(self, page: Page, text: str) -> None:
        """Types into the search field and presses its button."""
        self.write(_search_field(page), text)
        self.press(page.get_by_role("button", name="Sök", exact=True))


class Keyboard:
    """Tab, Enter, Space, arrows and letters only; an element that Tab does not reach fails the test."""

    name = "tangentbord"

    def reach(self, element: Locator) -> None:
        """Goes forward with Tab until the element has the focus, and checks that the focus is seen (WCAG 2.4.7, 2.4.11)."""
        element.wait_for(state="visible")
        page = element.page
        page.bring_to_front()
        page.wait_for_load_state("load")  # styles that come when something has the focus may move it out of sight
        held, pressed = element.element_handle(), 0  # found once: its role at each step would cost more than the steps
        while pressed < MOST_TABS:
            try:
                there, focused, between = held.evaluate(_WHERE)
            except Error:  # its page went, with all that was held of it
                there, focused, between = False, False, 0
            if not there:
                held, pressed = element.element_handle(), pressed + 1
                continue
            if focused:
                self._see_focus(element)
                return
            for _ in range(between + 1):
                page.keyboard.press("Tab")
            pressed += between + 1
        raise AssertionError(f"Tab does not reach {element}")

    @staticmethod
    def _see_focus(element: Locator) -> None:
        """The page scrolls and draws the ring after it has moved the focus."""
        deadline = time.monotonic() + SECONDS_TO_DRAW
        while (seen := element.evaluate(_HOW_FOCUS_IS_SEEN)) != {"ring": True, "inView": True}:
            assert time.monotonic() < deadline, f"the focus is not seen: {element}: {seen}"
            element.page.wait_for_timeout(50)

    def press(self, element: Locator) -> None:
        self.reach(element)
        element.press("Enter")
        _let_come(element.page)

    def write(self, element: Locator, text: str) -> None:
        self.reach(element)
        element.page.keyboard.press("Control+A")
        element.page.keyboard.type(text, delay=PACE)

    def choose(self, element: Locator) -> None:
        """Space for a box; for a radio button Tab to its group and the arrows within."""
        page = element.page
        if element.get_attribute("type") != "radio":
            self.reach(element)
            page.keyboard.press("Space")
            return
        name = element.get_attribute("name")
        group = page.locator(f'input[type="radio"][name="{name}"]:not([disabled])')
        for _ in range(MOST_TABS):
            if page.evaluate("n => document.activeElement.type === 'radio' && document.activeElement.name === n", name):
                break
            page.keyboard.press("Tab")
        else:
            raise AssertionError(f"Tab does not reach {element}")
        if group.count() == 1 or element.evaluate("e => e === document.activeElement"):
            page.keyboard.press("Space")
        for _ in range(group.count()):
            if element.is_checked():
                return
            page.keyboard.press("ArrowDown")
        assert element.is_checked(), f"the arrows do not reach {element}"

    def attach(self, element: Locator, file: Path) -> None:
        """Opens the choice of files with Space or Enter; Chromium now and then drops the key while it draws.

        It listens until the end: a choice that opens when nobody listens stays open out of sight, and no key opens another.
        """
        page, opened = element.page, list[FileChooser]()

        def open_choice(choice: FileChooser) -> None:
            opened.append(choice)

        page.on("filechooser", open_choice)
        try:
            for key in ("Space", "Enter", "Space"):
                self.reach(element)
                if not opened:
                    with contextlib.suppress(TimeoutError), page.expect_file_chooser(timeout=5000):
                        page.keyboard.press(key)
                if opened:
                    opened[0].set_files(file)
                    return
        finally:
            page.remove_listener("filechooser", open_choice)
        raise AssertionError("the keyboard opens no choice of files")

    def scan(self, page: Page, text: str) -> None:
        """What a hand-held scanner does: the field has the focus at once, the text comes as key strokes and Enter ends it."""
        field = _search_field(page)
        expect(field).to_be_focused()  # which the browser gives when it first draws
        page.keyboard.type(text)
        field.press("Enter")
        _let_come(page)


class Both(Keyboard):
    """The keyboard acts, and the mouse could have: where it would click, it would hit the same element, which stands still.

    To a page a press is the same, whichever of them it comes from, so one walk shows that the page can be used with either.
    """

    name = "båda"

    def reach(self, element: Locator) -> None:
        super().reach(element)
        self._aim(element)

    def choose(self, element: Locator) -> None:
        if element.get_attribute("type") == "radio":  # whose group is reached, and not each
            self._aim(element)
        super().choose(element)

    def scan(self, page: Page, text: str) -> None:
        self._aim(page.get_by_role("button", name="Sök", exact=True))
        super().scan(page, text)

    @staticmethod
    def _aim(element: Locator) -> None:
        chosen = element.get_attribute("type") in ("checkbox", "radio")
        (_label(element) or element if chosen else element).click(trial=True)


def _label(element: Locator) -> Locator | None:
    """The label beside a box or button, if there is one: it is the larger target."""
    label = element.page.locator(f'label[for="{element.get_attribute("id")}"]')
    return label if label.count() else None


def _let_come(page: Page) -> None:
    """Until the page that a press led to is there with its scripts and styles: what is done next is done to that page.

    That another page comes is waited for by `Locator.click` and `Locator.press`, and not by the bare keys of `page.keyboard`.
    """
    page.wait_for_load_state("load")


def _search_field(page: Page) -> Locator:
    return page.get_by_role("searchbox").or_(page.get_by_role("main").get_by_role("textbox")).first
