"""Looks for personal data where none may stand: addresses, Referers, page titles, names of downloads, log lines, queues (S21).

`Traffic().watch(context)` before the first page is opened; at the end `findings(traffic, logs, terms)` must be empty, where
the terms are those of `siths_portal.demo.log_scan.terms()`. `read_queues` adds what waits for workers.
"""

import base64
import contextlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from urllib.parse import unquote_plus

from playwright.sync_api import BrowserContext, Error, Page, Request, Response
from redis import Redis

from tests.personal_addresses import shape

SHORTEST_NUMBER = 8
_HEADERS = ("referer", "location", "content-disposition", "hx-redirect", "hx-push-url", "hx-replace-url", "hx-current-url")

# Runs in each page before its own scripts, outside the page's Content-Security-Policy.
_REPORT_TITLES = r"""
(() => {
  let last = "";
  const report = () => {  // few mutations change what is reported, and each report passes through two processes
    const now = [document.title, document.referrer, location.href];
    if (now.join("\n") === last) return;
    last = now.join("\n");
    window.reportTitle(...now);
  };
  const follow = () => {
    report();
    new MutationObserver(report).observe(document.documentElement, {childList: true, subtree: true, characterData: true});
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", follow);
  else follow();
  addEventListener("pagehide", report);
})();
"""


@dataclass(frozen=True)
class Seen:
    """A text of the traffic, and where it stood; the place names a page by its path's shape alone."""

    place: str
    text: str


@dataclass
class Traffic:
    """What went between the browser contexts that it watches and the outside, in the order it was seen."""

    seen: list[Seen] = field(default_factory=list)

    def watch(self, context: BrowserContext) -> "Traffic":
        """Records every page of `context`, also windows that pages open. Call it before the first page is opened."""
        context.on("request", self._request)
        context.on("response", self._response)
        context.on("page", self._opened)
        context.expose_binding("reportTitle", self._title)
        context.add_init_script(_REPORT_TITLES)
        return self

    def watch_page(self, page: Page) -> "Traffic":
        """As `watch`, for the context of a page that shows nothing yet."""
        return self.watch(page.context)

    def read_queues(self, url: str) -> "Traffic":
        """Records the messages that wait in the queues of Celery's Redis, each as it is sent and with its body decoded."""
        with Redis.from_url(url) as broker:
            for key in sorted(broker.scan_iter(_type="list")):
                for message in broker.lrange(key, 0, -1):
                    body = base64.b64decode(json.loads(message)["body"]).decode()
                    self.seen += [Seen(f"queue {key.decode()}", text) for text in (message.decode(), body)]
        return self

    def queued(self) -> list[str]:
        """Every message that waited in a queue."""
        return [one.text for one in self.seen if one.place.startswith("queue ")]

    def addresses(self) -> list[str]:
        """Every address that was asked for."""
        return [one.text for one in self.seen if one.place.startswith("address ")]

    def titles(self) -> list[str]:
        """Every title that a page has had."""
        return [one.text for one in self.seen if one.place.startswith("title ")]

    def _request(self, request: Request) -> None:
        where = f"{request.method} {shape(request.url)}"
        self.seen.append(Seen(f"address {where}", request.url))
        self._headers(where, request.headers)

    def _response(self, response: Response) -> None:
        self._headers(shape(response.url), response.headers)

    def _headers(self, where: str, headers: dict[str, str]) -> None:
        self.seen += [Seen(f"{name} {where}", headers[name]) for name in _HEADERS if headers.get(name)]

    def _opened(self, page: Page) -> None:
        """The first page of a window that a page opened runs no script of ours, and may be there before we are told of it."""
        page.on("domcontentloaded", self._loaded)
        self._loaded(page)

    def _loaded(self, page: Page) -> None:
        with contextlib.suppress(Error):  # it may be gone already
            if title := page.title():
                self.seen.append(Seen(f"title {shape(page.url)}", title))

    def _title(self, _source: object, title: str, referrer: str, address: str) -> None:
        where = shape(address)
        self.seen += [
            Seen(f"title {where}", title),
            Seen(f"document.referrer {where}", referrer),
            Seen(f"address {where}", address),
        ]


def findings(traffic: Traffic, logs: Iterable[Path], forbidden: Iterable[str]) -> list[str]:
    """Where one of `forbidden` stands: places, never the words. `logs` are files, or folders of `*.log*` files.

    Texts are also read with their percent-encoding undone, numbers also without hyphens and spaces. Raises ValueError if there
    is nothing to look for or nothing was seen: then the scan would prove nothing.
    """
    pattern = _pattern(forbidden)
    if not traffic.seen:
        raise ValueError("no traffic was seen: the scan would prove nothing")
    found = [one.place for one in traffic.seen if any(pattern.search(text) for text in _readings(one.text))]
    return list(dict.fromkeys([*found, *_in_logs(logs, pattern)]))


def log_findings(logs: Iterable[Path], forbidden: Iterable[str]) -> list[str]:
    """What `findings` finds in logs alone. Raises ValueError if there is no log."""
    files = list(_files(logs))
    if not files:
        raise ValueError("no log was seen: the scan would prove nothing")
    return list(_in_logs(files, _pattern(forbidden)))


def _in_logs(logs: Iterable[Path], pattern: re.Pattern[str]) -> Iterator[str]:
    for path in _files(logs):
        with path.open(errors="replace") as lines:
            for number, line in enumerate(lines, 1):
                if any(pattern.search(text) for text in _readings(line)):
                    yield f"{path.name}:{number}"


def _files(logs: Iterable[Path]) -> Iterator[Path]:
    for path in logs:
        yield from sorted(path.rglob("*.log*")) if path.is_dir() else [path]


def _readings(text: str) -> set[str]:
    once = unquote_plus(text)
    return {text, once, unquote_plus(once)}


def _pattern(forbidden: Iterable[str]) -> re.Pattern[str]:
    """Any of the terms: a name as a word of its own, a number not as a part of a longer one, however it is grouped."""
    long, short, names = list[list[str]](), list[list[str]](), list[list[str]]()
    for term in sorted({term.strip() for term in forbidden} - {""}):
        digits = re.sub(r"[-+ ]", "", term)
        if not digits.isdecimal():
            names.append([r"[-_. +]+" if letter == " " else re.escape(letter) for letter in term])
        elif len(digits) >= SHORTEST_NUMBER:
            long.append([digits[0], *(rf"[-+. \u00a0]?{digit}" for digit in digits[1:])])
        else:
            short.append([re.escape(letter) for letter in term])
    kinds = ((r"(?<![0-9a-f])", long, r"(?![0-9a-f])"), (r"(?<!\w)", short, r"(?!\w)"), (r"(?<![^\W_])", names, r"(?![^\W_])"))
    alternatives = [f"{before}(?:{_any_of(words)}){after}" for before, words, after in kinds if words]
    if not alternatives:
        raise ValueError("nothing to look for: the scan would prove nothing")
    return re.compile("|".join(alternatives), re.IGNORECASE)


def _any_of(words: list[list[str]]) -> str:
    """A pattern of any of the words, each a list of its letters' patterns. A beginning that words share is tried once."""
    start = [one for one, other in takewhile(lambda pair: pair[0] == pair[1], zip(min(words), max(words), strict=False))]
    following: dict[str, list[list[str]]] = {}
    for word in words:
        if len(word) > len(start):
            following.setdefault(word[len(start)], []).append(word[len(start) :])
    if not following:
        return "".join(start)
    ends_here = len(start) in map(len, words)
    return f"{''.join(start)}(?:{'|'.join(map(_any_of, following.values()))}){'?' if ends_here else ''}"
