"""Outbound HTTP against real servers on real sockets: limits, errors, mutual TLS, and what the log lines may say."""

import contextlib
import datetime as dt
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.db import connection, transaction
from prometheus_client import REGISTRY

from siths_portal.lib.errors import NotFound, Refused, Unavailable
from siths_portal.lib.http import client as http
from tests.chance import without_chance

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def serving(answer: Answer, *, tls: ssl.SSLContext | None = None) -> Iterator[tuple[str, list[BaseHTTPRequestHandler]]]:
    seen: list[BaseHTTPRequestHandler] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            seen.append(self)
            answer(self)

        do_GET = do_POST = do_PUT = _any  # noqa: N815

        def log_message(self, *_arguments: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_arguments: object) -> None:
            """A client that hangs up is what some of these tests are about."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"{'https' if tls else 'http'}://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def released(event: threading.Event) -> Iterator[None]:
    """Lets a held server thread go when the block ends, however it ends."""
    try:
        yield
    finally:
        event.set()


def reply(status: int, body: bytes = b"{}", **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def test_json_goes_out_and_comes_back() -> None:
    with serving(reply(200, '{"förnamn": "Åsa"}'.encode())) as (url, seen):
        answer = http.Client(url).post("/a/{id}/b", params={"id": "x/y å"}, body={"ort": "Borås"}, headers={"If-Match": '"7"'})
        assert answer.json() == {"förnamn": "Åsa"}
        assert answer.headers["content-length"] == str(len(answer.content))
    request = seen[0]
    assert request.path == "/a/x%2Fy%20%C3%A5/b"
    assert json.loads(request.body) == {"ort": "Borås"}
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["If-Match"] == '"7"'
    assert len(request.headers["X-Request-Id"]) == 32


@pytest.mark.parametrize(
    ("status", "body", "error", "code"),
    [
        (404, b"{}", NotFound, "upstream-not-found"),
        (404, b'{"code": "no-such-post"}', NotFound, "no-such-post"),
        (409, b'{"code": "already-sent"}', Refused, "already-sent"),
        (409, b'{"code": "Karin 189001019802"}', Refused, "upstream-refused-409"),
        (400, b"not json", Refused, "upstream-refused-400"),
        (301, b"", Refused, "upstream-refused-301"),
        (429, b"{}", Unavailable, "upstream-error"),
        (503, b"[]", Unavailable, "upstream-error"),
    ],
)
def test_a_status_becomes_an_error_with_a_code(status: int, body: bytes, error: type[Exception], code: str) -> None:
    outcome = "failed" if error is Unavailable else "answered"

    def counted(url: str) -> float:
        return REGISTRY.get_sample_value("outbound_calls_total", {"host": url.removeprefix("http://"), "outcome": outcome}) or 0

    with serving(reply(status, body, Location="/elsewhere")) as (url, seen):
        before = counted(url)  # an earlier test may have had the same port
        with pytest.raises(error) as caught:
            http.Client(url).get("/x")
    assert caught.value.code == code  # type: ignore[attr-defined]
    assert len(seen) == 1, "a redirect was followed or a call repeated"
    assert counted(url) == before + 1


def test_a_peer_that_is_gone_is_unavailable() -> None:
    with socket.socket() as held:  # has the port, so that nobody else gets it, and does not listen
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        with pytest.raises(Unavailable, match="upstream-unreachable"):
            http.Client(f"http://127.0.0.1:{port}").get("/x")


def test_a_peer_that_says_nothing_is_given_up() -> None:
    release = threading.Event()
    with (
        serving(lambda _: release.wait(10) and None) as (url, _),
        released(release),
        pytest.raises(Unavailable, match="upstream-un"),
    ):
        http.Client(url, read_timeout=0.2).get("/x")


def test_a_trickle_is_given_up_although_each_byte_is_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes at once and takes ten minutes by the client's clock, which the peer here moves on."""
    release, late = threading.Event(), [0.0]

    def trickle(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        while not release.wait(0.05):
            late[0] += 600
            handler.wfile.write(b"x")
            handler.wfile.flush()

    monkeypatch.setattr(http, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + late[0]))
    with serving(trickle) as (url, _), released(release), pytest.raises(Unavailable, match="upstream-too-slow"):
        http.Client(url, connect_timeout=60, read_timeout=60).get("/x")


def test_an_answer_has_a_largest_size() -> None:
    with serving(reply(200, b"x" * 5000)) as (url, _):
        assert len(http.Client(url, max_bytes=5000).get("/x").content) == 5000
        with pytest.raises(Unavailable, match="upstream-reply-too-large"):
            http.Client(url, max_bytes=4999).get("/x")


def test_a_cut_answer_is_no_answer() -> None:
    def cut(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"half": ')
        handler.close_connection = True

    with serving(cut) as (url, _), pytest.raises(Unavailable, match="upstream-unreachable"):
        http.Client(url).get("/x")


def test_a_body_that_is_no_json_is_unavailable() -> None:
    with serving(reply(200, b"<html>")) as (url, _), pytest.raises(Unavailable, match="upstream-bad-reply"):
        http.Client(url).get("/x").json()


def test_only_an_idempotent_call_is_repeated_and_only_when_asked() -> None:
    left = [503, 503, 200, 503, 200, 503]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        reply(left.pop(0))(handler)

    with serving(answer) as (url, seen):
        client = http.Client(url)
        assert client.get("/x", retries=2).status == 200
        assert client.post("/query", body={}, retries=1, idempotent=True).status == 200
        with pytest.raises(ValueError, match="not idempotent"):
            client.post("/orders", body={}, retries=1)
        with pytest.raises(Unavailable):
            client.get("/x")
    assert len(seen) == 6
    assert len({handler.headers["X-Request-Id"] for handler in seen[:3]}) == 1


def test_a_refusal_is_not_repeated() -> None:
    with serving(reply(400)) as (url, seen), pytest.raises(Refused):
        http.Client(url).get("/x", retries=3)
    assert len(seen) == 1


def test_no_cookie_is_kept_and_the_environment_names_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "")
    with serving(reply(200, Set_Cookie="a=b; Path=/")) as (url, seen):
        client = http.Client(url)
        client.get("/x")
        client.get("/x")
    assert [handler.headers["Cookie"] for handler in seen] == [None, None]


def test_the_log_line_names_the_template_and_not_what_filled_it(capfd: pytest.CaptureFixture[str]) -> None:
    with serving(reply(404, b'{"detail": "Karin Provsson"}')) as (url, _), pytest.raises(NotFound):
        http.Client(url).get("/persons/{id}", params={"id": "189001019802"}, query={"namn": "Provsson"})
    out = "".join(capfd.readouterr())
    line = json.loads(next(x for x in out.splitlines() if "http.call" in x))
    assert (line["method"], line["path"], line["status"]) == ("GET", "/persons/{id}", 404)
    assert line["host"] in url
    assert line["milliseconds"] >= 0
    for chance in (line["host"], f'"milliseconds": {line["milliseconds"]}'):
        assert chance in out
        out = out.replace(chance, "")
    assert "1890" not in without_chance(out)
    assert "Provsson" not in out


@pytest.mark.django_db(transaction=True)
def test_no_call_inside_a_transaction() -> None:
    with serving(reply(200)) as (url, seen):
        with transaction.atomic(), pytest.raises(RuntimeError, match="inside a transaction"):
            http.Client(url).get("/x")
        assert not connection.in_atomic_block
        http.Client(url).get("/x")
    assert len(seen) == 1


@pytest.mark.parametrize("url", ["", "localhost", "ftp://a", "http://", "http://user:pass@a", "http://a/?b", "http://a:b"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"address|[Pp]ort"):
        http.Client(url)


def _pem(
    folder: Path, name: str, issuer: tuple[x509.Name, ec.EllipticCurvePrivateKey] | None
) -> tuple[Path, Path, ec.EllipticCurvePrivateKey]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    issuer_name, issuer_key = issuer or (subject, key)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.KeyUsage(True, False, False, False, False, issuer is None, False, False, False), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    certificate_file, key_file = folder / f"{name}.pem", folder / f"{name}.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file, key


def test_mutual_tls_needs_our_certificate_and_their_issuer(tmp_path: Path) -> None:
    ca, _, ca_key = _pem(tmp_path, "ca", None)
    issuer = (x509.load_pem_x509_certificate(ca.read_bytes()).subject, ca_key)
    server, server_key, _ = _pem(tmp_path, "server", issuer)
    client, client_key, _ = _pem(tmp_path, "client", issuer)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca))
    tls.load_cert_chain(server, server_key)
    tls.verify_mode = ssl.CERT_REQUIRED
    with serving(reply(200), tls=tls) as (url, seen):
        assert http.Client(url, certificate=str(client), key=str(client_key), ca_bundle=str(ca)).get("/x").status == 200
        with pytest.raises(Unavailable):
            http.Client(url, ca_bundle=str(ca)).get("/x")
        with pytest.raises(Unavailable):
            http.Client(url, certificate=str(client), key=str(client_key)).get("/x")
    assert len(seen) == 1
