"""A text browser over HTTP: follows links, fills in forms by their labels and presses buttons by their texts.

It runs no scripts, so it shows that the pages work without them. Each origin has its own cookies.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlencode, urljoin, urlsplit

import requests
from django.conf import settings
from lxml import html

SECONDS = 30
_REDIRECTS = 20
_TO_GET = frozenset({301, 302, 303})

File = tuple[str, bytes, str]


class PageFault(RuntimeError):
    """A page lacks what its visitor needs. The message has the URL's path and what is missing, never what was typed."""


def _words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def _begins_with(text: str, beginning: str) -> bool:
    return text.casefold() == beginning.casefold() or text.casefold().startswith(beginning.casefold() + " ")


@dataclass
class Browser:
    """A browser, with the cookies of each origin."""

    _sessions: dict[str, requests.Session] = field(default_factory=dict)

    def open(self, url: str) -> "Page":
        """Returns the page at `url`, after redirects. Raises PageFault."""
        return self.request("GET", url)

    def request(
        self, method: str, url: str, *, data: list[tuple[str, str]] | None = None, files: dict[str, File] | None = None
    ) -> "Page":
        """Sends a request as a form or link does and follows redirects (RFC 9110 15.4). Raises PageFault for a status of 5xx."""
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
        """Returns the cookies of the origin of `url`."""
        return self._session(url).cookies.get_dict()

    def _session(self, url: str) -> requests.Session:
        origin = _origin(url)
        if origin not in self._sessions:
            self._sessions[origin] = requests.Session()
            self._sessions[origin].trust_env = False
            self._sessions[origin].verify = settings.PORTAL_CA_FILE or True
        return self._sessions[origin]

    def _page(self, url: str, answer: requests.Response) -> "Page":
        if answer.status_code >= 500:
            raise PageFault(f"{urlsplit(url).path}: answered {answer.status_code}")
        return Page(self, url, answer.status_code, answer.content, answer.headers.get("Content-Type", ""))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class Page:
    """A page as its visitor sees it."""

    def __init__(self, browser: Browser, url: str, status: int, content: bytes, content_type: str) -> None:
        self.browser, self.url, self.status, self.content = browser, url, status, content
        self.is_html = content_type.startswith("text/html")
        self.tree = html.fromstring(content.decode() if self.is_html and content else "<p></p>")

    @property
    def path(self) -> str:
        """The path of the page's URL."""
        return urlsplit(self.url).path

    @property
    def heading(self) -> str:
        """The text of the first h1, or ""."""
        found = self.tree.xpath("//h1")
        return _words(found[0]) if found else ""

    @property
    def text(self) -> str:
        """All text of the page."""
        return _words(self.tree)

    @property
    def address(self) -> str:
        """The page's URL without its fragment."""
        return self.url.partition("#")[0]

    def again(self) -> "Page":
        """Loads the page again."""
        return self.browser.open(self.address)

    def has_link(self, text: str) -> bool:
        """Returns whether the text of a link is `text` or begins with it."""
        return bool(self._links(text))

    def href(self, text: str, *, within: str = "") -> str:
        """Returns the URL of the first link that is or begins with `text`, in the row or item that contains `within`.

        Raises PageFault.
        """
        for element in self._links(text):
            if not within or within in _words(_item(element)):
                return urljoin(self.url, str(element.get("href")))
        raise self.fault(f"no link {text}")

    def follow(self, text: str, *, within: str = "") -> "Page":
        """Opens the page of the link."""
        return self.browser.open(self.href(text, within=within))

    def has_button(self, text: str) -> bool:
        """Returns whether the page has a button with this text."""
        return bool(self._buttons(text))

    def form(self, button: str, *, within: str = "") -> "Form":
        """Returns the form of the first button with this text, or of the one in the row or item that contains `within`."""
        for element in self._buttons(button):
            if not within or within in _words(_item(element)):
                return Form(self, element)
        raise self.fault(f"no button {button}")

    def press(self, button: str, *, within: str = "") -> "Page":
        """Sends the button's form unchanged."""
        return self.form(button, within=within).send()

    def fault(self, what: str) -> PageFault:
        """Returns the error for this page, with the path (ids hidden), status and heading."""
        return PageFault(f"{re.sub(r'[0-9a-f-]{36}', '…', self.path)} ({self.status}, {self.heading or 'no heading'}): {what}")

    def _links(self, text: str) -> list[html.HtmlElement]:
        return [one for one in self.tree.xpath("//a[@href]") if _begins_with(_name(one), text)]

    def _buttons(self, text: str) -> list[html.HtmlElement]:
        found = self.tree.xpath("//button[not(@type) or @type='submit'][not(@disabled)] | //input[@type='submit']")
        return [one for one in found if _begins_with(_name(one), text) and next(one.iterancestors("dialog"), None) is None]


def _item(element: html.HtmlElement) -> html.HtmlElement:
    return next(element.iterancestors("tr", "li", "article", "details"), element)


def _name(element: html.HtmlElement) -> str:
    return element.get("aria-label") or _words(element) or element.get("value") or ""


class Form:
    """A form and the button that will send it."""

    def __init__(self, page: Page, button: html.HtmlElement) -> None:
        self.page, self.button = page, button
        owner = button.get("form")
        found = page.tree.xpath("//form[@id=$id]", id=owner) if owner else list(button.iterancestors("form"))
        if not found:
            raise page.fault("a button without a form")
        self.element = found[0]
        self.files: dict[str, File] = {}

    def fill(self, label: str, value: str) -> "Form":
        """Types into the field with this label."""
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
        """Returns whether `choose` would find a radio button."""
        return any(part in text for text, _ in self._choices())

    def _choices(self) -> Iterator[tuple[str, html.HtmlElement]]:
        for label in self.element.xpath(".//label"):
            control = self._of(label)
            if control is None or control.get("type") != "radio":
                continue
            ids = (control.get("aria-describedby") or "").split()
            descriptions = [one for name in ids for one in self.page.tree.xpath("//*[@id=$id]", id=name)]
            yield " ".join(map(_words, (label, *descriptions))), control

    def attach(self, label: str, name: str, content: bytes, content_type: str) -> "Form":
        """Attaches a file to the field with this label."""
        self.files[str(self._control(label).get("name"))] = (name, content, content_type)
        return self

    def send(self) -> Page:
        """Sends the form and returns the page of the response."""
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
            control = self._of(one) if _begins_with(_words(one), label) else None
            if control is not None:
                return control
        for one in self.element.xpath(".//*[self::input or self::select or self::textarea][@aria-label]"):
            if _begins_with(one.get("aria-label"), label):
                return one
        raise self.page.fault("no field with this label")

    def _of(self, label: html.HtmlElement) -> html.HtmlElement | None:
        target = label.get("for")
        found = self.element.xpath(".//*[@id=$id]", id=target) if target else label.xpath(".//input|.//select|.//textarea")
        return found[0] if found else None
