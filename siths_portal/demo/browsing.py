"""A browser without a window: follows links, fills in forms by their labels and presses buttons by their texts, over HTTP.

It runs no script, so what it does shows that the pages work without any. Each origin has its own cookies.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from lxml import html

SECONDS = 30
_REDIRECTS = 20
_TO_GET = frozenset({301, 302, 303})

File = tuple[str, bytes, str]


class PageFault(RuntimeError):
    """A page is not what its visitor needs. The text names the address's path and what was looked for, never what was typed."""


def _words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def _fits(text: str, wanted: str) -> bool:
    return text.casefold() == wanted.casefold() or text.casefold().startswith(wanted.casefold() + " ")


@dataclass
class Browser:
    """Visits pages. `page` is the one that is shown."""

    _sessions: dict[str, requests.Session] = field(default_factory=dict)

    def open(self, url: str) -> "Page":
        """The page at `url`, after redirects."""
        return self.request("GET", url)

    def request(
        self, method: str, url: str, *, data: list[tuple[str, str]] | None = None, files: dict[str, File] | None = None
    ) -> "Page":
        """Sends a request as a form or a link does and follows redirects (RFC 9110 15.4). Raises PageFault from 500 on."""
        for _ in range(_REDIRECTS):
            answer = self._session(url).request(
                method, url, data=data, files=files, headers={"Origin": _origin(url)} if method == "POST" else {},
                timeout=SECONDS, allow_redirects=False,
            )  # fmt: skip
            if not answer.is_redirect:
                return self._page(url, answer)
            url = urljoin(url, answer.headers["Location"])
            if answer.status_code in _TO_GET:
                method, data, files = "GET", None, None
        raise PageFault(f"{urlsplit(url).path}: too many redirects")

    def cookies(self, url: str) -> dict[str, str]:
        """The cookies of the origin of `url`."""
        return self._session(url).cookies.get_dict()

    def _session(self, url: str) -> requests.Session:
        origin = _origin(url)
        if origin not in self._sessions:
            self._sessions[origin] = requests.Session()
            self._sessions[origin].trust_env = False
        return self._sessions[origin]

    def _page(self, url: str, answer: requests.Response) -> "Page":
        if answer.status_code >= 500:
            raise PageFault(f"{urlsplit(url).path}: answered {answer.status_code}")
        return Page(self, url, answer.status_code, answer.content, answer.headers.get("Content-Type", ""))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Page:
    """A page as its visitor reads it."""

    def __init__(self, browser: Browser, url: str, status: int, content: bytes, content_type: str) -> None:
        self.browser, self.url, self.status, self.content = browser, url, status, content
        self.is_html = content_type.startswith("text/html")
        self.tree = html.fromstring(content.decode() if self.is_html and content else "<p></p>")

    @property
    def path(self) -> str:
        """The address's path."""
        return urlsplit(self.url).path

    @property
    def heading(self) -> str:
        """The text of the first h1."""
        found = self.tree.xpath("//h1")
        return _words(found[0]) if found else ""

    @property
    def text(self) -> str:
        """Everything there is to read."""
        return _words(self.tree)

    @property
    def address(self) -> str:
        """The page's address without its fragment."""
        return self.url.partition("#")[0]

    def again(self) -> "Page":
        """The page as it is now."""
        return self.browser.open(self.address)

    def has_link(self, text: str) -> bool:
        """Whether a link reads `text`, or begins with it."""
        return bool(self._links(text))

    def href(self, text: str) -> str:
        """Where the link that reads `text`, or begins with it, leads."""
        found = self._links(text)
        if not found:
            raise self.fault(f"no link {text}")
        return urljoin(self.url, str(found[0].get("href")))

    def follow(self, text: str) -> "Page":
        """The page that the link leads to."""
        return self.browser.open(self.href(text))

    def has_button(self, text: str) -> bool:
        """Whether there is a button that reads `text`."""
        return bool(self._buttons(text))

    def form(self, button: str, *, within: str = "") -> "Form":
        """The form that the button sends; of several the first, or the one in the row or item that reads `within`."""
        for found in self._buttons(button):
            around = next(found.iterancestors("tr", "li", "article", "details"), found)
            if not within or within in _words(around):
                return Form(self, found)
        raise self.fault(f"no button {button}")

    def press(self, button: str, *, within: str = "") -> "Page":
        """Sends the button's form as it stands."""
        return self.form(button, within=within).send()

    def fault(self, what: str) -> PageFault:
        """The error that says which page lacks what."""
        return PageFault(f"{re.sub(r'[0-9a-f-]{36}', '…', self.path)} ({self.status}, {self.heading or 'no heading'}): {what}")

    def _links(self, text: str) -> list[html.HtmlElement]:
        return [one for one in self.tree.xpath("//a[@href]") if _fits(_name(one), text)]

    def _buttons(self, text: str) -> list[html.HtmlElement]:
        found = self.tree.xpath("//button[not(@type) or @type='submit'][not(@disabled)] | //input[@type='submit']")
        return [one for one in found if _fits(_name(one), text) and next(one.iterancestors("dialog"), None) is None]


def _name(element: html.HtmlElement) -> str:
    return element.get("aria-label") or _words(element) or element.get("value") or ""


class Form:
    """A form about to be sent by one of its buttons."""

    def __init__(self, page: Page, button: html.HtmlElement) -> None:
        self.page, self.button = page, button
        owner = button.get("form")
        found = page.tree.xpath("//form[@id=$id]", id=owner) if owner else list(button.iterancestors("form"))
        if not found:
            raise page.fault("a button without a form")
        self.element = found[0]
        self.files: dict[str, File] = {}

    def fill(self, label: str, value: str) -> "Form":
        """Types into the field that the label names."""
        control = self._control(label)
        control.value = value
        return self

    def choose(self, part: str) -> "Form":
        """Selects the first radio button whose label or description contains `part`."""
        for text, control in self._choices():
            if part in text:
                for other in self.element.xpath(".//input[@type='radio'][@name=$name]", name=control.get("name")):
                    other.checked = False
                control.checked = True
                return self
        raise self.page.fault("no choice with this label")

    def offers(self, part: str) -> bool:
        """Whether `choose` finds a radio button."""
        return any(part in text for text, _ in self._choices())

    def _choices(self) -> Iterator[tuple[str, html.HtmlElement]]:
        for label in self.element.xpath(".//label"):
            control = self._of(label)
            if control is None or control.get("type") != "radio":
                continue
            beside = (control.get("aria-describedby") or "").split()
            told = [one for name in beside for one in self.page.tree.xpath("//*[@id=$id]", id=name)]
            yield " ".join(map(_words, (label, *told))), control

    def attach(self, label: str, name: str, content: bytes, content_type: str) -> "Form":
        """Puts a file into the field that the label names."""
        self.files[str(self._control(label).get("name"))] = (name, content, content_type)
        return self

    def send(self) -> Page:
        """What comes of it."""
        values = [(name, value) for name, value in self.element.form_values() if name not in self.files]
        if self.button.get("name"):
            values.append((self.button.get("name"), self.button.get("value") or ""))
        action = self.button.get("formaction") or self.element.get("action") or ""
        url = urljoin(self.page.address, action)
        browser = self.page.browser
        if (self.element.get("method") or "get").lower() == "post":
            return browser.request("POST", url, data=values, files=self.files or None)
        return browser.open(f"{url.partition('?')[0]}?{urlencode(values)}")

    def _control(self, label: str) -> html.HtmlElement:
        for one in self.element.xpath(".//label"):
            control = self._of(one) if _fits(_words(one), label) else None
            if control is not None:
                return control
        raise self.page.fault("no field with this label")

    def _of(self, label: html.HtmlElement) -> html.HtmlElement | None:
        target = label.get("for")
        found = self.element.xpath(".//*[@id=$id]", id=target) if target else label.xpath(".//input|.//select|.//textarea")
        return found[0] if found else None
