"""The scan of the browser suite's traffic sees personal data in each place where none may stand, and nothing else."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from redis import Redis

from tests.browser import browser
from tests.lib.traffic import Seen, Traffic, findings, log_findings
from tests.personal_addresses import shape

__all__ = ["browser"]  # a fixture
pytestmark = pytest.mark.personal_addresses

TERMS = [
    "189001019802",
    "9001019802",
    "18900101-9802",
    "TST2321000131-A1B2",
    "Demofors",
    "Anna Demofors",
    "9752000000000000017",
    "Ek",
]
SECRETS = ["189001019802", "Demofors", "A1B2"]


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Pages that do what ours must not."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.split("?")[0]
            body = {
                "/title": "<title>Anna Demofors</title>",
                "/later": "<title>Person</title><script>setTimeout(() => document.title = 'Demofors')</script>",
                "/link": "<title>x</title><a href='/plain'>vidare</a>",
            }.get(path, "<title>Sidan</title>")
            self.send_response(302 if path == "/redirect" else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Referrer-Policy", "unsafe-url")
            if path == "/redirect":
                self.send_header("Location", "/plain?pnr=18900101-9802")
            if path == "/file":
                self.send_header("Content-Disposition", "inline; filename*=UTF-8''kvittens%20Demofors.pdf")
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def walk(browser: Browser, site: str, *paths: str, click: bool = False) -> list[str]:
    context = browser.new_context()
    traffic = Traffic().watch(context)
    page = context.new_page()
    for path in paths:
        page.goto(site + path)
        if click:
            page.get_by_role("link").click()
            page.wait_for_url("**/plain")
    if "/later" in paths:
        page.wait_for_function("document.title === 'Demofors'")
    page.evaluate("1")  # what the page reported before arrives before this
    context.close()
    assert traffic.addresses()
    assert traffic.titles()
    return findings(traffic, [], TERMS)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/sok/189001019802/", "address"),
        ("/sok/?q=18900101-9802", "address"),
        ("/sok/?q=900101%2D9802", "address"),
        ("/sok/?q=18%32353", ""),
        ("/sok/?namn=anna+demofors", "address"),
        ("/sok/?hsa=tst2321000131-a1b2", "address"),
        ("/sok/?kort=9752%200000%200000%200000%20017", "address"),
        ("/sok/#Demofors", "address"),
        ("/plain", ""),
        ("/sok/ekeby/", ""),
        ("/sok/0192b0f4-8f4e-7d7e-9c3a-5d1f4f6b7a10/", ""),
        ("/title", "title"),
        ("/later", "title"),
        ("/redirect", "location"),
        ("/file", "content-disposition"),
    ],
)
def test_it_is_found_where_it_stands(browser: Browser, site: str, path: str, kind: str) -> None:
    found = walk(browser, site, path)
    assert bool(found) == bool(kind)
    assert not kind or any(place.startswith(kind) for place in found), found
    assert not any(secret.lower() in place.lower() for place in found for secret in SECRETS), "a finding tells the place alone"


def test_a_referer_is_found(browser: Browser, site: str) -> None:
    found = walk(browser, site, "/link?q=Demofors", click=True)
    assert {place.split(" ")[0] for place in found} >= {"address", "referer", "document.referrer"}


def test_a_window_that_a_page_opens_is_watched_too(browser: Browser, site: str) -> None:
    context = browser.new_context()
    traffic = Traffic().watch(context)
    page = context.new_page()
    page.goto(f"{site}/plain")
    with context.expect_page() as opened:
        page.evaluate("window.open('/title')")
    opened.value.wait_for_url("**/title")
    opened.value.wait_for_load_state()
    opened.value.evaluate("1")
    context.close()
    assert [place.split(" ")[0] for place in findings(traffic, [], TERMS)] == ["title"]


def test_log_lines_are_read(tmp_path: Path) -> None:
    traffic = Traffic([Seen("address GET x/", "http://x/")])
    (tmp_path / "portal.log").write_text("klart\nsok 18900101-9802\n/foto/Anna%20Demofors\nEkeby 8f189001019802\n")
    (tmp_path / "other.log.1").write_text("Demofors\n")
    assert findings(traffic, [tmp_path], TERMS) == ["other.log.1:1", "portal.log:2", "portal.log:3"]
    assert findings(traffic, [tmp_path / "portal.log"], TERMS) == ["portal.log:2", "portal.log:3"]
    assert log_findings([tmp_path], TERMS) == ["other.log.1:1", "portal.log:2", "portal.log:3"]


def test_messages_in_queues_are_read(settings: Any) -> None:
    body = base64.b64encode(b'[[], {"name": "Demofors"}, {}]').decode()
    with Redis.from_url(settings.REDIS_URL) as broker:
        broker.rpush("traffic-test", json.dumps({"body": body}))
        try:
            found = Traffic().read_queues(settings.REDIS_URL)
        finally:
            broker.delete("traffic-test")
    assert findings(found, [], TERMS) == ["queue traffic-test"]


def test_a_scan_that_would_prove_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nothing to look for"):
        findings(Traffic([Seen("address GET x/", "http://x/")]), [], ["", " "])
    with pytest.raises(ValueError, match="no traffic"):
        findings(Traffic(), [], TERMS)
    with pytest.raises(ValueError, match="no log"):
        log_findings([tmp_path], TERMS)


def test_a_reported_address_names_nothing() -> None:
    address = "http://localhost:8000/sok/person/0192b0f4-8f4e-7d7e-9c3a-5d1f4f6b7a10/foto/?q=1#x"
    assert shape(address) == "localhost:8000/sok/person/…/foto/"
    assert shape("http://x/sok/189001019802/") == "x/sok/…/"
