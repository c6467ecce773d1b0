"""HTTP/1.1 for the OCSP responder, on asyncio: what most clients send is recognised by its bytes, `httptools` reads the rest.

Recognised is a request that came whole in one piece and whose head `httptools` has read before: nothing is concluded from bytes
that it did not see. A connection says one thing after another; while it waits for a signer, what comes next waits with it.
"""

import asyncio
import logging
from collections import deque
from email.utils import formatdate
from http import HTTPStatus
from typing import Final, NamedTuple, cast
from urllib.parse import unquote

import httptools

from pki.domain import ocsp_request, ocsp_response
from pki.ocspd.app import ERRORS, Live, Responder, SigningRequest
from pki.ocspd.header_cache import END, Heads
from pki.ocspd.metrics import health
from siths_portal.lib import clock

log = logging.getLogger(__name__)

IDLE: Final = 75
"""Seconds that a connection may say nothing."""
READING: Final = 10
"""Seconds that a request may take to come, and an answer to be taken."""
CONNECTIONS: Final = 4096
"""Open at once, in a process."""
MAX_HEAD: Final = 64 * 1024
MAX_BODY: Final = 1024 * 1024
"""What is read of a body that is too large, so that its sender sees the answer."""
_PATH: Final = b"/ocsp"
_CLOSE: Final = b"Connection: close\r\n"


class Request(NamedTuple):
    """One request, read."""

    method: str
    target: bytes
    body: bytes = b""
    match: str | None = None
    """If-None-Match."""
    stays: bool = True
    """Whether the connection stays open."""


class Reply(NamedTuple):
    """Status line, and headers and body that follow Date; what is HEAD's has no body."""

    payload: bytes
    status: HTTPStatus = HTTPStatus.OK


def respond(responder: Responder, request: Request) -> Reply | SigningRequest:
    """What is said to a request. For `SigningRequest` a signer is asked, and what it says goes through `finished`."""
    target = request.target
    if not target.startswith(b"/"):
        target = httptools.parse_url(target).path or b"/"  # absolute (RFC 9112 section 3.2.2)
    path = target.partition(b"?")[0]
    if not path.startswith(_PATH):
        return _other(responder, request.method, path.decode("latin-1"))
    if request.method == "POST":
        said = responder.post(request.body)
    elif request.method in ("GET", "HEAD"):
        tail = path[len(_PATH) + 1 :]
        found = responder.get(tail)
        said = responder.get_spelled(unquote(tail.decode("latin-1"), "latin-1")) if found is None else found
    else:
        return _plain(HTTPStatus.METHOD_NOT_ALLOWED, b"Allow: GET, HEAD, POST\r\n")
    return said if isinstance(said, SigningRequest) else finished(request, said)


def finished(request: Request, payload: bytes) -> Reply:
    """The reply with this payload: all of it, its head alone, or that the caller has it already."""
    head, _, _ = payload.partition(END)
    if request.match is not None and b"\r\nETag: " in head:
        lines = head.split(b"\r\n")
        etag = next(line[6:].decode() for line in lines if line.startswith(b"ETag: "))
        # By entity tag alone: "revoked" may be signed in the same second as "good", and dates cannot tell them apart.
        if _matches(request.match, etag):
            kept = [line for line in lines if not line.startswith(b"Content-")]
            return Reply(b"\r\n".join(kept) + END, HTTPStatus.NOT_MODIFIED)
    return Reply(head + END if request.method == "HEAD" else payload)


def _matches(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or "*" in tags


def _other(responder: Responder, method: str, path: str) -> Reply:
    if path in ("/healthz/live", "/healthz/ready") and method in ("GET", "HEAD"):
        status, content_type, body = health(path, responder.store)
        head = f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\nCache-Control: no-store\r\n\r\n".encode()
        return Reply(head + body if method == "GET" else head, HTTPStatus(status))
    return _plain(HTTPStatus.NOT_FOUND)


def _plain(status: HTTPStatus, *headers: bytes) -> Reply:
    return Reply(b"".join((*headers, b"Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n")), status)


class Asker:
    """Whom `SigningRequest` is asked of."""

    def ask(self, wanted: SigningRequest, then: "Then") -> bool:
        """Whether it is taken up: then `then` is called, once, within about a second. Here nobody is asked."""
        return False


class Then:
    """What waits for a signer: a connection and its request. Called with what was said, or None."""

    def __init__(self, connection: "Connection", request: Request, wanted: SigningRequest) -> None:
        self._connection, self._request, self._wanted = connection, request, wanted

    def __call__(self, said: Live | None) -> None:
        """Answers, and goes on with what came meanwhile."""
        self._connection.resume(self._request, self._wanted, said)


class Server:
    """What the connections of a process share."""

    def __init__(self, responder: Responder, asker: Asker | None = None) -> None:
        self.responder = responder
        self.asker = asker or Asker()
        self.connections: set[Connection] = set()
        self.beat = 0
        """Seconds since the start, as `tick` counts them."""
        self.kept, self.last = Heads(), Heads()
        """Heads that were read before, of requests whose connection stays open and of those with which it ends."""
        self.start = b""
        self.ending = False
        self.tick()

    def tick(self) -> None:
        """Once a second: a new Date, and an end for connections that say nothing or take nothing."""
        self.beat += 1
        date = formatdate(clock.timestamp(), usegmt=True).encode()
        self.start = b"HTTP/1.1 200 OK\r\nDate: %b\r\n" % date
        for connection in list(self.connections):
            connection.check()

    def head(self, status: HTTPStatus) -> bytes:
        """Status line and Date."""
        return self.start.replace(b"200 OK", f"{status} {status.phrase}".encode(), 1)

    def learn(self, data: bytes, request: Request) -> None:
        """Remembers the head of a request that came whole as `data`, if nothing but what is recognised depends on it."""
        heads = self.kept if request.stays else self.last
        heads.learn(data, request.method, request.target, request.body)

    def said_last(self, data: bytes) -> bytes | None:
        """All that is said to a client that sent `data` and wants its connection closed then; None if more is to be known."""
        try:
            said = self.last.answer(self.responder, data)
        except Exception:  # noqa: BLE001  (the connection that takes it over answers, and tells)
            return None
        return None if said is None or isinstance(said, SigningRequest) else self.start + _CLOSE + said


class Connection(asyncio.Protocol):
    """One client's connection. `first` was read of it before the loop had it."""

    def __init__(self, server: Server, first: bytes = b"") -> None:
        self._server = server
        self._first = first
        self._responder = server.responder
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parser: httptools.HttpRequestParser | None = None
        self._between = True  # no part of a request is waiting for its rest
        self._waits = False  # for a signer
        self._closing = False
        self._paused = False
        self._held = False  # nothing more is read while a request waits for a signer
        self._requests: deque[Request] = deque()
        self._since = server.beat  # when it last said something whole, or began to
        self._new()

    def _new(self) -> None:
        self._target, self._body = bytearray(), bytearray()
        self._size = 0
        self._match: str | None = None
        self._special = False  # something in the head that only `httptools` is to judge

    # --- asyncio ------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes it, or turns it away where there are too many."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._server.connections) >= CONNECTIONS or self._server.ending:
            transport.close()
            return
        self._server.connections.add(self)
        first, self._first = self._first, b""
        if first:
            self.data_received(first)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forgets it; a signer's answer that is under way goes nowhere."""
        self._closing = True
        self._server.connections.discard(self)

    def pause_writing(self) -> None:
        """Reads no more while the client does not take what it asked for."""
        self._paused = True
        self._since = self._server.beat
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Reads again, unless a request waits for a signer."""
        self._paused = False
        self._read_on()

    def _read_on(self) -> None:
        if not self._paused and not self._held:
            self._transport.resume_reading()

    def check(self) -> None:
        """Ends it if it has been silent, or slow, for too long."""
        silent = self._server.beat - self._since
        if not self._waits and silent > (IDLE if self._between and not self._paused else READING):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answers what is recognised; gives the rest to the parser."""
        if self._between and not self._waits and not self._closing:
            self._since = self._server.beat
            said = self._recognised(data)
            if said:
                self._transport.write(self._server.start + said)
            if said is not None:
                return
        self._parse(data)

    def _recognised(self, data: bytes) -> bytes | None:
        """The payload for a request that is whole and has a known head, empty if it waits for a signer; None for all others."""
        try:
            said = self._server.kept.answer(self._responder, data)
        except Exception:  # noqa: BLE001  (every request gets an answer)
            return self._failed()
        if isinstance(said, SigningRequest):
            method, target = ("GET", b"/ocsp/") if said.cached else ("POST", b"/ocsp")
            return self._ask(Request(method, target), said)
        return said

    def _failed(self) -> bytes:
        """`internalError`, and the log: nobody is told more, and the connection serves on."""
        log.exception("a request could not be answered")
        self._responder.counts.errors[ocsp_response.INTERNAL[4]] += 1
        return ERRORS[ocsp_response.INTERNAL]

    # --- httptools ----------------------------------------------------------------------------------------------------------

    def _parse(self, data: bytes) -> None:
        if self._closing:
            return
        whole = self._between and not self._waits and not self._requests
        if self._waits and not self._held:
            self._held = True
            self._transport.pause_reading()
        if self._parser is None:
            self._parser = httptools.HttpRequestParser(self)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            if self._requests:
                self._requests[-1] = self._requests[-1]._replace(stays=False)  # no other protocol is spoken
        except httptools.HttpParserError:
            self._requests.append(Request("", b"", stays=False))
        if whole and self._between and len(self._requests) == 1 and not self._special:
            self._server.learn(data, self._requests[0])
        self._go_on()

    def on_message_begin(self) -> None:
        """A request begins."""
        self._new()
        if self._between:
            self._since = self._server.beat
        self._between = False

    def on_url(self, url: bytes) -> None:
        """A piece of its address."""
        self._target += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """One of its headers."""
        name = name.lower()
        self._count(len(name) + len(value) + 4)
        if name == b"if-none-match":
            self._match, self._special = value.decode("latin-1"), True
        elif name in (b"transfer-encoding", b"upgrade"):
            self._special = True
        elif name == b"expect":
            self._special = True
            if value.lower() == b"100-continue" and not self._requests and not self._waits:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _count(self, octets: int) -> None:
        self._size += octets
        if self._size > MAX_HEAD:
            raise httptools.HttpParserError("a head that is too long")

    def on_body(self, body: bytes) -> None:
        """A piece of its body; of one that is too long the beginning is kept, which is too long as well."""
        self._size += len(body)
        if len(self._body) <= ocsp_request.MAX_BYTES:
            self._body += body
        if self._size > MAX_BODY + MAX_HEAD:
            raise httptools.HttpParserError("a body that is too long")

    def on_message_complete(self) -> None:
        """The whole request is here."""
        parser = cast("httptools.HttpRequestParser", self._parser)
        method = parser.get_method().decode("latin-1")
        request = Request(method, bytes(self._target), bytes(self._body), self._match, parser.should_keep_alive())
        self._requests.append(request)
        self._between = True

    # --- answers ------------------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Answers what is read, in order, until one has to wait."""
        while self._requests and not self._waits and not self._closing:
            request = self._requests.popleft()
            if not request.method:
                self._write(request, _plain(HTTPStatus.BAD_REQUEST))
                return
            try:
                said = respond(self._responder, request)
            except httptools.HttpParserInvalidURLError:
                request, said = request._replace(stays=False), _plain(HTTPStatus.BAD_REQUEST)
            except Exception:  # noqa: BLE001  (every request gets an answer)
                said = Reply(self._failed())
            if isinstance(said, SigningRequest):
                payload = self._ask(request, said)
                if not payload:
                    return
                said = finished(request, payload)
            self._write(request, said)

    def _ask(self, request: Request, wanted: SigningRequest) -> bytes:
        """Asks the signer; nothing if it is to be waited for, else the payload of the store."""
        self._waits = True
        if self._server.asker.ask(wanted, Then(self, request, wanted)):
            return b""
        self._waits = False
        return self._responder.settle(wanted, None)

    def resume(self, request: Request, wanted: SigningRequest, said: Live | None) -> None:
        """Answers a request that waited."""
        if self._closing:
            return
        self._waits, self._since = False, self._server.beat
        if self._held:
            self._held = False
            self._read_on()
        try:
            payload = self._responder.settle(wanted, said)
        except Exception:  # noqa: BLE001  (every request gets an answer)
            payload = self._failed()
        self._write(request, finished(request, payload))
        self._go_on()

    def _write(self, request: Request, reply: Reply) -> None:
        head = self._server.start if reply.status is HTTPStatus.OK else self._server.head(reply.status)
        stays = request.stays and not self._server.ending
        self._transport.write(head + (b"" if stays else _CLOSE) + reply.payload)
        if not stays:
            self._closing = True
            self._transport.close()

    def end(self) -> None:
        """Closes it, unless a request is under way."""
        if self._between and not self._waits and not self._requests:
            self._transport.close()
