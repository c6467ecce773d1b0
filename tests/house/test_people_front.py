"""The reverse proxy of the people's sites: slow clients hold no thread of a site, and each refusal is an answer. Real nginx."""

import contextlib
import http.client
import re
import socket
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from django.urls import reverse

from siths_portal.dev import nginx
from siths_portal.dev.home import House
from siths_portal.dev.probes import accepts
from siths_portal.lib.files.uploads import REFUSED_HEADER
from tests.house.conftest import copy_house
from tests.house.test_nginx import UnixServer
from tests.waiting import wait_for

SLOW = 500
UPLOADS = 64  # more than one address may have
ALL_UPLOADS = 160  # more than a site may have
SESSION = {"Cookie": "session=live"}
ROOT = Path(__file__).resolve().parent.parent.parent


class Site(BaseHTTPRequestHandler):
    """A site with one thread: it notes each request and answers with the headers that it received."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, str, int]] = []
    headers_seen: list[http.client.HTTPMessage] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.seen.append((self.command, self.path, len(body)))
        self.headers_seen.append(self.headers)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(b"ok")
        self.close_connection = True

    def do_GET(self) -> None:
        if self.path == reverse("upload_session"):
            has_session = SESSION["Cookie"] in (self.headers.get("Cookie") or "")
            self.send_response(204 if has_session else 401)
            self.send_header("Location", f"/logga-in/?next={self.headers['X-Original-URI']}")
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()
            self.close_connection = True
            return
        self.do_POST()

    def address_string(self) -> str:
        return "unix"

    def log_message(self, *_: object) -> None:
        return


class OneThread(UnixServer):
    """Serves one request after the other, so that one unfinished request would stop all others."""

    request_queue_size = 2 * ALL_UPLOADS

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        self.process_request_thread(request, client_address)


@contextlib.contextmanager
def served(house: House, *, silence: str = "10s") -> Iterator[House]:
    """nginx of a house before a portal with one thread; Mina sidor is away. `silence` is how long a client may send nothing."""
    house.release_ports()
    Site.seen.clear()
    Site.headers_seen.clear()
    configuration = nginx.write_people(house)
    for file in configuration.parent.glob("*.conf"):
        file.write_text(re.sub(r"(client_(?:header|body)_timeout) 10s;", rf"\1 {silence};", file.read_text()))
    with OneThread(str(house.site_socket("portal")), Site) as site:
        threading.Thread(target=site.serve_forever, daemon=True).start()
        process = subprocess.Popen(["/usr/sbin/nginx", "-e", "stderr", "-c", str(configuration)])
        wait_for(lambda: accepts(house.port("portal")) and accepts(house.port("minasidor")), "nginx")
        yield house
        process.terminate()
        process.wait()
        site.shutdown()


@pytest.fixture
def front(folder: Path, found: Callable[..., House]) -> Iterator[House]:
    """What `served` gives, of a house of its own."""
    with served(found(copy_house(folder / "clone"))) as house:
        yield house


def ask(house: House, method: str, path: str, body: bytes = b"", site: str = "portal", **headers: str) -> tuple[int, str, bytes]:
    """Returns status, type and body."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", house.port(site), timeout=60)) as connection:
        connection.request(method, path, body or None, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.headers["Content-Type"] or "", answer.read()


def test_clients_that_never_finish_their_request_do_not_stop_others(front: House) -> None:
    head = b"POST /csp-rapport/ HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nx"
    with contextlib.ExitStack() as stack:
        for number in range(SLOW):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", front.port("portal")), timeout=60))
            slow.sendall(head[: len(head) - number % 80])  # some have not even sent their headers
        for _ in range(20):
            assert ask(front, "GET", "/sok/")[0] == 200
        assert ask(front, "POST", "/sok/", b"a=b")[0] == 200
    assert {path for _, path, _ in Site.seen} == {"/sok/"}, "the site heard of an unfinished request"


def test_a_client_that_falls_silent_in_its_request_is_ended(folder: Path, found: Callable[..., House]) -> None:
    """In its headers or in its body, by the limits of 10 s, which are one second here. Without them nginx waits a minute."""
    begun = (b"POST /csp-rapport/ HTTP/1.1\r\nHost: loc", b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nx")
    with served(found(copy_house(folder / "clone")), silence="1s") as house, contextlib.ExitStack() as stack:
        silent = []
        for part in begun:
            silent.append(stack.enter_context(socket.create_connection(("127.0.0.1", house.port("portal")), timeout=30)))
            silent[-1].sendall(part)
        for client in silent:
            with contextlib.suppress(ConnectionResetError):
                answer = client.recv(100)
                assert answer == b"" or b" 408 " in answer
    assert Site.seen == []


def test_unfinished_uploads_do_not_close_the_pages_that_take_files(front: House) -> None:
    photo = reverse("order_photo_upload", args=["00000000-0000-7000-8000-000000000000"])
    head = f"POST {photo} HTTP/1.1\r\nHost: localhost\r\nCookie: {SESSION['Cookie']}\r\n"
    large = f"{head}Content-Length: 1000000\r\n\r\nx".encode()
    chunked = f"{head}Transfer-Encoding: chunked\r\n\r\n1\r\nx".encode()
    with contextlib.ExitStack() as stack:
        for number in range(UPLOADS):
            slow = stack.enter_context(socket.create_connection(("127.0.0.1", front.port("portal")), timeout=60))
            slow.sendall(chunked if number % 2 else large)
        wait_for(lambda: ask(front, "POST", photo, b"x" * 1_000_000, **SESSION)[0] == 503, "the limit")
        assert ask(front, "GET", photo)[0] == 200
        assert ask(front, "POST", photo, b"a=b")[0] == 200
    assert {length for _, _, length in Site.seen} <= {0, 3, 1_000_000}, "the site heard of an unfinished upload"


def test_uploads_without_a_session_hold_no_place_and_lead_to_the_log_in(front: House) -> None:
    page = reverse("setup_import")
    slow = f"POST {page}?a=b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\nx".encode()
    with contextlib.ExitStack() as stack:
        strangers = []
        for number in range(ALL_UPLOADS):
            source = (f"127.0.0.{2 + number % 5}", 0)
            address = ("127.0.0.1", front.port("portal"))
            stranger = stack.enter_context(socket.create_connection(address, timeout=60, source_address=source))
            stranger.sendall(slow)
            strangers.append(stranger)
        assert ask(front, "POST", page, b"x" * 150_000, **SESSION)[0] == 200
        answer = strangers[0].recv(4096).decode()
        assert answer.startswith("HTTP/1.1 302 ")
        assert f"Location: /logga-in/?next={page}?a=b\r\n" in answer
    assert Site.seen == [("POST", page, 150_000)]
    assert ask(front, "POST", page, b"a=b")[0] == 200, "a small form is the site's to judge"
    assert ask(front, "GET", reverse("upload_session"))[0] == 404


def test_the_site_says_that_a_body_is_too_large_and_gets_nothing_of_it(front: House) -> None:
    assert ask(front, "POST", "/sok/", b"x" * 600_000)[0] == 200
    assert ask(front, "POST", "/sok/", b"a=b", **{REFUSED_HEADER: "too-large"})[0] == 200
    assert Site.seen == [("POST", "/sok/", 0), ("POST", "/sok/", 3)]
    refused, forged = Site.headers_seen
    assert refused[REFUSED_HEADER].startswith("too-large")
    assert REFUSED_HEADER not in forged


def test_pages_with_files_accept_large_bodies(front: House) -> None:
    address = re.compile(next(line.split()[2] for line in template() if line.strip().startswith("location ~")))
    some = "00000000-0000-7000-8000-000000000000"
    pages = {
        "orders/fetch.html": [reverse("order_photo_upload", args=[some])],
        "billing/import_start.html": [reverse("customer_import"), reverse("price_import"), reverse("payment_file")],
        "imports/file_form.html": [reverse("setup_import"), reverse("carrier_import")],
        "operators/propose.html": [reverse("pki_ceremony_propose")],
        "operators/sign.html": [reverse("pki_proposal_sign", args=[some])],
        "operators/mass_new.html": [reverse("pki_mass_new")],
    }
    folder = ROOT / "templates"
    taking = {str(page.relative_to(folder)) for page in folder.rglob("*.html") if "multipart/form-data" in page.read_text()}
    assert taking == set(pages), "add the new page here and its address to people.conf.template"
    assert all(address.match(each) for addresses in pages.values() for each in addresses)
    assert ask(front, "POST", pages["orders/fetch.html"][0], b"x" * 6_000_000, **SESSION)[0] == 200
    assert Site.seen[-1][2] == 6_000_000


def template() -> list[str]:
    return (nginx.TEMPLATES / "people.conf.template").read_text().splitlines()


def test_callers_are_known_by_the_address_that_the_proxy_saw(front: House) -> None:
    ask(front, "GET", "/", **{"X-Forwarded-For": "192.0.2.7"})
    assert Site.headers_seen[-1]["X-Forwarded-For"] == "192.0.2.7, 127.0.0.1"


def test_a_site_that_is_away_is_a_page_or_a_problem(front: House) -> None:
    status, kind, body = ask(front, "GET", "/", site="minasidor")
    assert (status, kind) == (503, "text/html; charset=utf-8")
    assert "<h1>Tjänsten svarar inte just nu</h1>" in body.decode()
    status, kind, body = ask(front, "POST", "/api/eidapp/v1/transaction/start", b"{}", site="minasidor")
    assert (status, kind) == (503, "application/problem+json")
    assert b'"code":"unavailable"' in body


class Dying(BaseHTTPRequestHandler):
    """A process that is killed while it has a request: it notes the request and ends the connection."""

    def do_POST(self) -> None:
        Site.seen.append((self.command, "dying", 0))
        self.close_connection = True

    def do_GET(self) -> None:
        self.do_POST()

    def address_string(self) -> str:
        return "unix"


def test_another_process_takes_over_unless_the_first_may_have_changed_something(
    folder: Path, found: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    house = found(copy_house(folder / "clone"))
    live, dying = house.site_socket("portal"), house.site_socket("portal").with_name("dying.sock")
    first = {"portal": dying.with_name("gone.sock"), "minasidor": dying}
    monkeypatch.setattr(House, "sockets", lambda _house, name: [str(first.get(name, live)), str(live)])
    with OneThread(str(dying), Dying) as process, served(house):
        threading.Thread(target=process.serve_forever, daemon=True).start()
        assert ask(house, "POST", "/sok/", b"a=b")[0] == 200, "nobody had accepted it"
        assert ask(house, "GET", "/sok/", site="minasidor")[0] == 200
        answers = [200]
        # A process that failed gets nothing for a second.
        wait_for(lambda: answers.append(ask(house, "POST", "/sok/", b"a=b", site="minasidor")[0]) or 503 in answers, "its turn")
        process.shutdown()
    sent = Counter(Site.seen)
    assert (sent["GET", "dying", 0], sent["GET", "/sok/", 0], sent["POST", "dying", 0]) == (1, 1, 1)
    assert sent["POST", "/sok/", 3] == answers.count(200)


def test_only_the_front_of_ocsp_sends_a_post_again_that_a_process_may_have_begun() -> None:
    with_it = [file.name for file in nginx.TEMPLATES.glob("*.conf.template") if "non_idempotent" in file.read_text()]
    assert with_it == ["status.conf.template"]
