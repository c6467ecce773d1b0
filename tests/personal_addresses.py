"""Makes a test red whose requests name somebody: in an address, a redirect, a Referer, the name of a download or a title (S21).

`scan_requests` reads every request and response of Django in this process: those of the test client, and in processes that
`tests.lib.faces` starts (`tests/scanned_site.py`) those of browsers and other clients. `scan_navigations` reads the addresses
that Chromium goes to, also the parts that no server sees. Both look for the forms of personal numbers, HSA-ids and card serials,
and for names of test persons. A test that sends such an address on purpose has the mark `personal_addresses`.

A finding names the place, never the words that were found.
"""

import contextlib
import os
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus, urlsplit

if TYPE_CHECKING:
    from django.http import HttpRequest
    from playwright.sync_api import Browser, BrowserContext

MARK = "personal_addresses"
NAMES = ("Almén", "Berglund", "Demofors", "Eklund", "Forsberg", "Hedlund", "Norberg", "Nyberg", "Sandberg", "Söderlund", "Wallin")
"""Surnames of test persons that are no words of our pages."""
ENDINGS = ("sson", "gren", "qvist", "ström")
"""Ends of surnames, and of no word of our pages."""

REQUEST_HEADERS = ("HTTP_REFERER", "HTTP_HX_CURRENT_URL")
RESPONSE_HEADERS = ("Location", "Content-Disposition", "HX-Redirect", "HX-Location", "HX-Push-Url", "HX-Replace-Url")

_DATE = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]|6[1-9]|[78]\d|9[01])"
"""Month and day of a personal number; 60 is added to the day of a coordination number."""
_LARGEST = str(2**63)[:-1]
"""The beginning of the largest whole numbers of the database, which hostile tests send."""
_PERSONAL = re.compile(
    rf"""
    (?<![0-9a-z]) (?:1[89]|20)? \d\d {_DATE} [-+\ ]? \d{{4}} (?![0-9a-z])  # personal number
    | (?<![a-z]) [a-z]{{2,6}} \d{{10,12}} - [a-z0-9]                         # HSA-id
    | (?<![0-9a-z]) (?!{_LARGEST}) \d (?:[-\ ]? \d){{18}} (?![0-9a-z])      # serial of a card
    | [^\W\d_] (?:{"|".join(ENDINGS)}) (?![^\W_])                          # name
    | (?<![^\W_]) (?:{"|".join(NAMES)}) (?![^\W_])
    """,
    re.IGNORECASE | re.VERBOSE,
)
LONGEST = 2000
"""Characters of a text that are read. Longer ones are what hostile tests send; no address of ours has so many."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title>", re.DOTALL)
_HEAD = 4096
"""Bytes of a page that its title stands in."""

_found: list[str] = []


def is_personal(text: str) -> bool:
    """Whether the text has what may be no part of an address, also percent-encoded once or twice. Ids are no finding."""
    text = text[:LONGEST]
    while True:
        if _PERSONAL.search(text) and _PERSONAL.search(_UUID.sub("…", text)):
            return True
        if "%" not in text and "+" not in text:
            return False
        plain = unquote_plus(text)
        if plain == text:
            return False
        text = plain


def shape(url: str) -> str:
    """An address fit for a report: host and path, ids and other numbers as dots, without query and fragment."""
    parts = urlsplit(url)
    kept = [part if re.fullmatch(r"[a-zåäö.-]{0,30}", part) else "…" for part in parts.path.split("/")]
    return f"{parts.netloc}{'/'.join(kept)}"


def scan_requests() -> None:
    """Reads every request and response of Django in this process from now on."""
    from django.core.handlers.base import BaseHandler

    answer = BaseHandler.get_response

    def get_response(self: BaseHandler, request: "HttpRequest") -> Any:
        response = answer(self, request)
        for place, text in _texts(request, response):
            if is_personal(text):
                _note(f"{place} {request.method} {shape(request.path)}")
        return response

    BaseHandler.get_response = get_response  # type: ignore[method-assign]


def _texts(request: "HttpRequest", response: Any) -> Iterator[tuple[str, str]]:
    """What of a request and its response may name nobody, each with its place."""
    yield "path", request.path
    if query := request.META.get("QUERY_STRING"):
        yield "query", str(query)
    for name in REQUEST_HEADERS:
        if value := request.META.get(name):
            yield name, str(value)
    for name in RESPONSE_HEADERS:
        if value := response.headers.get(name):
            yield name, str(value)
    if not response.streaming and str(response.headers.get("Content-Type", "")).startswith("text/html"):
        yield "title", _title(response)


def _title(response: Any) -> str:
    """The title of a page, also of one that is compressed; empty without one."""
    if response.headers.get("Content-Encoding") == "gzip":
        start = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(response.content, _HEAD)
    else:
        start = response.content[:_HEAD]
    title = _TITLE.search(start)
    return title[1].decode(errors="replace") if title else ""


def scan_navigations(browser: "Browser") -> None:
    """Reads each address that a page of the browser goes to, with its fragment. It asks the browser for nothing more."""

    def follow(context: "BrowserContext") -> None:
        context.on("framenavigated", lambda frame: _note(f"navigation {shape(frame.url)}") if is_personal(frame.url) else None)

    browser.on("context", follow)


def found() -> list[str]:
    """The places that were found since the last call, by this process and by those that it started. They are forgotten then."""
    places = _found[:]
    _found.clear()
    with contextlib.suppress(FileNotFoundError, KeyError):  # a test may have emptied the environment
        file = _file()
        taken = file.rename(file.with_suffix(".taken"))  # a process that writes now begins another
        places += taken.read_text().splitlines()
        taken.unlink()
    return list(dict.fromkeys(places))


def _note(place: str) -> None:
    """Keeps a place: in this process if it runs the tests, else in the file that the test process reads."""
    if _reports_by_file:
        with _file().open("a") as file:
            file.write(f"{place}\n")
    else:
        _found.append(place)


_reports_by_file = False


def report_by_file() -> None:
    """Lets this process, which a test started, report by the file of its test process."""
    global _reports_by_file
    _reports_by_file = True


def _file() -> Path:
    return Path(os.environ["SITHS_TEST_ROOT"]) / "personal_addresses"
