"""HTTP as the OCSP responder speaks it: what is recognised by its bytes and what is parsed are answered alike, in order."""

import base64
import json
import random
import re
import time
import urllib.parse

import pytest

from pki.domain import ocsp_response
from pki.ocspd import header_cache, layout, routing, serving
from pki.ocspd.app import Responder, SigningRequest
from pki.ocspd.layout import StoreRecord
from pki.ocspd.serving import Connection, Server, SigningBackend
from pki.ocspd.writing import Writer
from tests.pki.ocsp.ocsp_vectors import made

NOW = int(time.time())
SERIALS = (1, 127, 128, 0x4711, 0x0190AB12CD34EF56789012345678AB, (1 << 159) - 1)
MISSING = 0x5555


class Transport:
    """Stands for a socket: keeps what is written."""

    def __init__(self) -> None:
        self.written, self.closed, self.reading = bytearray(), False, True

    def write(self, data: bytes) -> None:
        assert not self.closed
        self.written += data

    def close(self) -> None:
        self.closed = True

    abort = close

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


@pytest.fixture
def responder(tmp_path):
    with Writer(tmp_path, segment_bytes=1 << 16) as writer:
        for serial in SERIALS:
            answers = (b"sha1 %d" % serial, b"sha256 %d" % serial)
            writer.put(StoreRecord(layout.key(1, serial), 1, layout.ANSWER, NOW - 60, NOW + 80_000, NOW + 10**6, *answers))
        writer.finish_load()
        (tmp_path / "wishes").mkdir()
        names = {f"{kind}_{name}": text.hex() for name, kind, text in HASHES}
        (tmp_path / routing.FILE).write_text(json.dumps([names | {"id": 1, "signs": True, "nonce": "echo"}]))
        yield Responder(tmp_path)


HASHES = [
    ("sha1", "name", b"a" * 20), ("sha1", "key", b"b" * 20), ("sha256", "name", b"a" * 32), ("sha256", "key", b"b" * 32),
]  # fmt: skip


def asked(serial, hash_name="sha256", nonce=None) -> bytes:
    """A request for one of the store's serials."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.x509 import ocsp

    algorithm = hashes.SHA1() if hash_name == "sha1" else hashes.SHA256()
    size = algorithm.digest_size
    builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(b"a" * size, b"b" * size, serial, algorithm)
    if nonce:
        builder = builder.add_extension(x509.OCSPNonce(nonce), critical=False)
    return builder.build().public_bytes(serialization.Encoding.DER)


def post(der, *headers, version="1.1") -> bytes:
    head = [f"POST /ocsp HTTP/{version}", "Host: ocsp.example", f"Content-Length: {len(der)}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + der


def get(der, *headers, tail=None, method="GET") -> bytes:
    text = urllib.parse.quote(base64.b64encode(der).decode(), safe="") if tail is None else tail
    return "\r\n".join([f"{method} /ocsp/{text} HTTP/1.1", "Host: ocsp.example", *headers]).encode() + b"\r\n\r\n"


def connect(server) -> tuple[Connection, Transport]:
    connection, transport = Connection(server), Transport()
    connection.connection_made(transport)
    return connection, transport


def said(server, *pieces) -> bytes:
    """Everything that comes back over one connection, without Dates."""
    connection, transport = connect(server)
    for piece in pieces:
        if not transport.closed:
            connection.data_received(piece)
    return re.sub(rb"Date: [^\r]*\r\n", b"", bytes(transport.written))


def replies(data) -> list[tuple[int, bytes]]:
    """Status and body of each reply."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        line, *headers = head.decode("ascii").split("\r\n")
        named = dict(header.split(": ", 1) for header in headers)
        assert len(named) == len(headers)
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1"
        length = int(named["Content-Length"])
        found.append((int(status), data[:length]))
        assert len(found[-1][1]) == length
        data = data[length:]
    return found


STREAM = {
    "posts": [post(asked(serial, name)) for serial in SERIALS for name in ("sha1", "sha256")],
    "gets": [get(asked(serial, name)) for serial in SERIALS for name in ("sha1", "sha256")],
    "gets with headers": [get(asked(serial), "User-Agent: x", "Accept: */*") for serial in SERIALS],
    "spellings": [
        get(b"", tail=tail)
        for text in [base64.b64encode(asked(SERIALS[4])).decode()]
        for tail in (text, "/" + text, text.rstrip("="), text.replace("+", "%20"), text.lower(), text + "?x=1", "")
    ],
    "missing": [post(asked(MISSING)), get(asked(MISSING)), post(b"garbage"), get(b"garbage"), post(b"")],
    "foreign": [post(made()), get(made("sha256"))],
    "nonces": [post(asked(SERIALS[0], nonce=b"n" * 32)), get(asked(SERIALS[0], nonce=b"n" * 32))],
    "bodies": [b"POST /ocsp HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", post(b"0" * 11_000)],
    "others": [b"PUT /ocsp HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"],
    "absolute": [b"GET http://ocsp.example/ocsp/AAAA HTTP/1.1\r\nHost: x\r\n\r\n"],
}


@pytest.mark.parametrize("name", STREAM)
def test_it_says_the_same_however_the_bytes_come(responder, name):
    """Known and unknown heads, all at once, octet by octet, and cut anywhere."""
    requests = STREAM[name]
    alone = b"".join(said(Server(responder), request) for request in requests)
    statuses = {status for status, _ in replies(alone)}
    assert statuses <= {200, 404, 405}
    server, dice = Server(responder), random.Random(name)
    whole = b"".join(requests)
    for _ in range(3):
        assert b"".join(said(server, request) for request in requests) == alone
        assert said(server, *requests) == alone
        assert said(server, whole) == alone
    assert said(server, *(bytes((octet,)) for octet in whole)) == alone
    for _ in range(50):
        cuts = sorted(dice.sample(range(len(whole)), 5))
        assert said(server, *(whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True))) == alone


def test_each_gets_its_own_answer(responder):
    server = Server(responder)
    for _ in range(3):
        for serial in SERIALS:
            for name in ("sha1", "sha256"):
                for request in (post(asked(serial, name)), get(asked(serial, name))):
                    assert replies(said(server, request)) == [(200, f"{name} {serial}".encode())]


def test_heads_are_learnt_and_bounded(responder, monkeypatch):
    monkeypatch.setattr(header_cache, "MOST", 4)
    server = Server(responder)
    for number in range(20):
        for _ in range(2):
            assert (
                replies(said(server, post(asked(1), f"X: {number}"), get(asked(1), f"X: {number}"))) == [(200, b"sha256 1")] * 2
            )
    assert 0 < len(server.kept.posts) <= 4
    assert 0 < len(server.kept.gets) <= 4


@pytest.mark.parametrize(
    "request_",
    [
        post(asked(1), "Expect: something"),
        get(asked(1), 'If-None-Match: "x"'),
        get(asked(1), "Upgrade: h2c", "Connection: Upgrade"),
        b"POST /ocsp HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
        post(asked(1))[:-1],
        get(asked(1)) + b"G",
        get(asked(1), method="HEAD"),
        post(asked(1), "Connection: close") + b"G",
        get(asked(1), "Connection: close", method="HEAD"),
    ],
)
def test_what_depends_on_more_than_its_bytes_is_not_learnt(responder, request_):
    server = Server(responder)
    said(server, request_)
    for each in (server.kept, server.last):
        assert not each.posts
        assert not each.gets


LAST = [post(asked(1), "Connection: close"), post(asked(1), version="1.0"), get(asked(1), "Connection: close")]


@pytest.mark.parametrize("request_", LAST, ids=["post", "post by HTTP/1.0", "get"])
def test_a_connections_last_request_is_known_apart_from_those_that_keep_it(responder, request_):
    """Read once, it is answered by its bytes with what the parser's way says; in pieces, or with more behind it, it is not."""
    server = Server(responder)
    assert server.said_last(request_) is None
    parsed = said(server, request_)
    assert re.sub(rb"Date: [^\r]*\r\n", b"", server.said_last(request_)) == parsed
    assert b"Connection: close" in parsed
    for other in (request_[:-1], request_ + b"G", request_ + request_, post(asked(1)), get(asked(1)), b"", b"G"):
        assert server.said_last(other) is None
    assert not server.kept.posts
    assert not server.kept.gets
    responder.live = True
    missing = post(asked(MISSING), "Connection: close")
    said(server, missing)
    assert server.said_last(missing) is None  # a signer is asked, which takes its time


SMUGGLED = [
    b"GET /ocsp/%b HTTP/1.0\r\nX: 1 HTTP/1.1\r\nHost: ocsp.example\r\n\r\n",
    b"GET /ocsp/%b\r\nX: y HTTP/1.1\r\nHost: ocsp.example\r\n\r\n",
    b"GET /ocsp/%b GET /ocsp/x HTTP/1.1\r\nHost: ocsp.example\r\n\r\n",
]


@pytest.mark.parametrize("smuggled", SMUGGLED)
def test_a_known_head_at_the_end_of_other_bytes_is_not_taken_for_one(responder, smuggled):
    server = Server(responder)
    said(server, get(asked(1)))
    assert server.kept.gets
    text = base64.b64encode(asked(1)).replace(b"+", b"%2B").replace(b"/", b"%2F")
    assert said(server, smuggled % text) == said(Server(responder), smuggled % text)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (b"POST /ocsp HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", 400),
        (b"POST /ocsp HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /ocsp/" + b"A" * 70_000 + b" HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: " + b"y" * 70_000 + b"\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20_000 + b"\r\n", 400),
        (b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST /ocsp HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n" + b"0" * 1_200_000, 400),
    ],
    ids=["words", "tls", "two lengths", "length and chunks", "long address", "long header", "many headers", "address", "body"],
)
def test_what_is_no_request_is_refused_and_the_connection_ends(responder, data, status):
    connection, transport = connect(Server(responder))
    connection.data_received(data)
    assert [each for each, _ in replies(bytes(transport.written))] == [status]
    assert transport.closed


def test_connections_stay_open_if_the_client_wants_that(responder):
    server = Server(responder)
    for request, closed in (
        (post(asked(1)), False),
        (post(asked(1), "Connection: close"), True),
        (post(asked(1), version="1.0"), True),
        (post(asked(1), "Connection: keep-alive", version="1.0"), False),
        (get(asked(1), "Upgrade: h2c", "Connection: Upgrade"), True),
    ):
        connection, transport = connect(server)
        connection.data_received(request)
        assert replies(bytes(transport.written)) == [(200, b"sha256 1")]
        assert transport.closed == closed
        assert (b"Connection: close" in transport.written) == closed


def test_who_asks_before_sending_is_told_to_go_on(responder):
    connection, transport = connect(Server(responder))
    request = post(asked(1), "Expect: 100-continue")
    cut = request.index(b"\r\n\r\n") + 4
    connection.data_received(request[:cut])
    assert bytes(transport.written) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.data_received(request[cut:])
    assert transport.written.endswith(b"sha256 1")


def test_the_silent_and_the_slow_are_ended(responder):
    server = Server(responder)
    _, silent = connect(server)
    slow, slow_transport = connect(server)
    full, full_transport = connect(server)
    octets = iter(post(asked(1)))
    slow.data_received(bytes((next(octets),)))
    full.data_received(post(asked(1)))
    full.pause_writing()
    assert not full_transport.reading
    for _ in range(serving.READING):
        server.tick()
        slow.data_received(bytes((next(octets),)))
    assert not slow_transport.closed
    server.tick()
    assert (slow_transport.closed, full_transport.closed, silent.closed) == (True, True, False)
    for _ in range(serving.IDLE):
        server.tick()
    assert silent.closed


def test_connections_are_bounded(responder, monkeypatch):
    monkeypatch.setattr(serving, "CONNECTIONS", 2)
    server = Server(responder)
    opened = [connect(server) for _ in range(3)]
    assert [transport.closed for _, transport in opened] == [False, False, True]
    opened[0][0].connection_lost(None)
    assert not connect(server)[1].closed


class Slow(SigningBackend):
    """A signer that answers when the test says so."""

    def __init__(self) -> None:
        self.waiting: list = []

    def ask(self, wanted, then) -> bool:
        self.waiting.append((wanted, then))
        return True


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("make", [post, get], ids=["post", "get"])
def test_what_comes_while_a_request_waits_is_answered_after_it(responder, known, make):
    asker = Slow()
    server = Server(responder, asker)
    if known:
        said(server, make(asked(1)))
    responder.live = True
    connection, transport = connect(server)
    connection.data_received(make(asked(MISSING)))
    connection.data_received(make(asked(1)) + make(asked(127))[:30])
    assert (bytes(transport.written), transport.reading) == (b"", False)
    ((wanted, then),) = asker.waiting
    assert isinstance(wanted, SigningRequest)
    then(None)
    assert transport.reading
    assert replies(bytes(transport.written)) == [(200, ocsp_response.UNAUTHORIZED), (200, b"sha256 1")]
    connection.data_received(make(asked(127))[30:])
    assert transport.written.endswith(b"sha256 127")


def test_reading_goes_on_when_neither_the_signer_nor_the_client_is_waited_for(responder):
    asker = Slow()
    responder.live = True
    for first in ("client", "signer"):
        connection, transport = connect(Server(responder, asker))
        connection.data_received(post(asked(MISSING)))
        connection.data_received(post(asked(1)))
        connection.pause_writing()
        ends = [connection.resume_writing, lambda: asker.waiting.pop()[1](None)]
        for end in ends if first == "client" else reversed(ends):
            assert not transport.reading
            end()
        assert transport.reading
        assert replies(bytes(transport.written)) == [(200, ocsp_response.UNAUTHORIZED), (200, b"sha256 1")]


def test_an_answer_for_a_client_that_left_goes_nowhere(responder):
    asker = Slow()
    responder.live = True
    connection, transport = connect(Server(responder, asker))
    connection.data_received(post(asked(MISSING)))
    connection.connection_lost(None)
    asker.waiting[0][1](None)
    assert not transport.written


def test_a_fault_of_ours_is_told_in_ocsps_words_and_in_the_log(responder, monkeypatch, caplog):
    server = Server(responder)
    for request in (post(asked(1)), get(asked(1))):
        said(server, request)

    def broken(*_arguments, **_options):
        raise RuntimeError("broken")

    monkeypatch.setattr(responder, "_respond", broken)
    for request in (post(asked(127)), get(asked(127)), post(asked(127), "X: y"), get(asked(127), "X: y")):
        assert replies(said(server, request)) == [(200, ocsp_response.INTERNAL)]
    assert caplog.text.count("RuntimeError: broken") == 4
    assert responder.counts.totals()[0, "internal"] == 4


def test_an_ending_process_closes_what_is_idle_and_answers_what_is_not(responder):
    server = Server(responder)
    idle, idle_transport = connect(server)
    busy, busy_transport = connect(server)
    busy.data_received(post(asked(1))[:30])
    server.ending = True
    for each in (idle, busy):
        each.end()
    assert (idle_transport.closed, busy_transport.closed) == (True, False)
    busy.data_received(post(asked(1))[30:])
    assert replies(bytes(busy_transport.written)) == [(200, b"sha256 1")]
    assert busy_transport.closed
