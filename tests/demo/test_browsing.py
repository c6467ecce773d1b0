"""The demo's windowless browser against a small site of its own: forms by label, redirects, cookies by origin."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from siths_portal.demo.browsing import Browser, PageFault

START = """<!doctype html><title>T</title><h1>Start  här</h1><a href="/nasta?x=1#del">Nästa sida</a>
<form method="post" action="/svar"><input type="hidden" name="token" value="t1">
<label for="n">Namn *</label><input id="n" name="namn" value="förut">
<fieldset><label><input type="radio" name="val" value="a" checked> Alfa</label>
<input type="radio" name="val" value="b" id="b" aria-describedby="b2"><label for="b">Beta två</label><i id="b2">B-2</i></fieldset>
<label for="f">Fil</label><input type="file" id="f" name="fil">
<button name="steg" value="2">Skicka</button><button name="steg" value="9" disabled>Av</button></form>
<table><tr><td>Ett</td><td><form method="post" action="/rad/1"><input name="antal" aria-label="Antal, rad ett">
<button>Välj</button></form></td></tr>
<tr><td>Två</td><td><form method="post" action="/rad/2"><button>Välj</button></form></td></tr>
<tr><td>Tre</td><td><a href="/rad/3">Öppna</a></td></tr><tr><td>Fyra</td><td><a href="/rad/4">Öppna</a></td></tr></table>
<dialog><form method="post"><button>Kvar</button></form></dialog>
<form action="/sok"><label for="q">Sök</label><input id="q" name="q"><button>Hitta</button></form>"""


class Site(BaseHTTPRequestHandler):
    seen: list[tuple[str, str, bytes, str]]

    def answer(self, body: bytes) -> None:
        self.seen.append((self.command, self.path, body, self.headers.get("Cookie", "")))
        if self.path == "/bort":
            self.send_response(302)
            self.send_header("Location", "/")
            self.end_headers()
            return
        if self.path == "/evigt":
            self.send_response(303)
            self.send_header("Location", "/evigt")
            self.end_headers()
            return
        self.send_response(500 if self.path == "/fel" else 200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Set-Cookie", "sak=1; Path=/")
        self.end_headers()
        self.wfile.write(START.encode())

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.rfile.read(int(self.headers["Content-Length"])))

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site() -> Iterator[tuple[str, list[tuple[str, str, bytes, str]]]]:
    seen: list[tuple[str, str, bytes, str]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Site,), {"seen": seen}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()


def test_it_follows_the_link_of_a_row(site) -> None:
    page = Browser().open(site[0])
    assert page.href("Öppna") == f"{site[0]}/rad/3"
    assert page.follow("Öppna", within="Fyra").path == "/rad/4"
    with pytest.raises(PageFault, match="no link Öppna"):
        page.follow("Öppna", within="Fem")


def test_it_reads_and_follows(site) -> None:
    url, seen = site
    page = Browser().open(f"{url}/bort")
    assert (page.path, page.heading, page.status) == ("/", "Start här", 200)
    assert page.has_link("Nästa")
    assert not page.has_link("Näst")
    page.follow("Nästa sida")
    assert [one[1] for one in seen] == ["/bort", "/", "/nasta?x=1"]
    assert seen[2][3] == "sak=1"


def test_it_fills_in_by_label_and_presses_by_text(site) -> None:
    url, seen = site
    page = Browser().open(url)
    assert page.has_button("Skicka")
    assert not page.has_button("Av"), "a button that is off is none"
    assert not page.has_button("Kvar"), "a dialog is closed until script opens it"
    form = page.form("Skicka").fill("Namn", "Åsa")
    assert [form.offers(part) for part in ("Beta två", "B-2", "Gamma")] == [True, True, False]
    form.choose("B-2").send()
    assert seen[-1][:3] == ("POST", "/svar", b"token=t1&namn=%C3%85sa&val=b&steg=2")
    page.form("Skicka").attach("Fil", "a.jpg", b"\xff\xd8", "image/jpeg").send()
    assert b'filename="a.jpg"' in seen[-1][2]
    assert b'name="token"' in seen[-1][2]
    page.press("Välj", within="Två")
    assert seen[-1][1] == "/rad/2"
    page.form("Välj", within="Ett").fill("Antal,", "3").send()
    assert seen[-1][1:3] == ("/rad/1", b"antal=3"), "a field in a table has its label as an attribute"
    page.form("Hitta").fill("Sök", "a b").send()
    assert seen[-1][1] == "/sok?q=a+b"


def test_what_is_missing_is_named_and_what_was_typed_is_not(site) -> None:
    url, _ = site
    page = Browser().open(url)
    for look, text in (
        (lambda: page.follow("Finns inte"), "no link Finns inte"),
        (lambda: page.form("Finns inte"), "no button Finns inte"),
        (lambda: page.form("Skicka").fill("18991231-9876", "x"), "no field with this label"),
        (lambda: Browser().open(f"{url}/evigt"), "too many redirects"),
        (lambda: Browser().open(f"{url}/fel"), "answered 500"),
    ):
        with pytest.raises(PageFault, match=text):
            look()


def test_another_port_is_not_told_our_cookies(site) -> None:
    url, seen = site
    browser = Browser()
    browser.open(url)
    other: list[tuple[str, str, bytes, str]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Site,), {"seen": other}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    browser.open(f"http://127.0.0.1:{server.server_port}/")
    server.shutdown()
    server.server_close()
    assert other[0][3] == ""
    browser.open(url)
    assert seen[-1][3] == "sak=1"
