"""HTTP/1.1 for the OCSP responder, on asyncio. Recognises most clients' requests by their bytes; `httptools` parses the rest.

A request is recognised only if it arrived complete in one piece and `httptools` has parsed the same headers before. A connection
answers its requests in order; while one waits for a signer, the next ones wait too.
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
from pki.ocspd.header_cache import END, HeaderCache
from pki.ocspd.metrics import health
from siths_portal.lib import clock

log = logging.getLogger(__name__)

IDLE: Final = 75
"""Seconds that a connection may be idle."""
READING: Final = 10
"""Seconds that a client has to send a request, and to read a response."""
CONNECTIONS: Final = 4096
"""Open connections in one process."""
MAX_HEAD: Final = 64 * 1024
MAX_BODY: Final = 1024 * 1024
"""Octets read of a body that is too large, so that the client receives the error response."""
_PATH: Final = b"/ocsp"
_CLOSE: Final = b"Connection: close\r\n"


class Request(NamedTuple):
    """One parsed request."""

    method: str
    target: bytes
    body: bytes = b""
    match: str | None = None
    """If-None-Match."""
    stays: bool = True
    """Whether the connection stays open."""


class Reply(NamedTuple):
    """Status line, then the headers and body that follow Date; without the body for HEAD."""

    payload: bytes
    status: HTTPStatus = HTTPStatus.OK


def respond(responder: Responder, request: Request) -> Reply | SigningRequest:
    """Returns the response, or a `SigningRequest` for the signer, whose response the caller passes to `finished`."""
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
    """Returns the reply with this payload: complete, only the headers for HEAD, or 304 Not Modified."""
    head, _, _ = payload.partition(END)
    if request.match is not None and b"\r\nETag: " in head:
        lines = head.split(b"\r\n")
        etag = next(line[6:].decode() for line in lines if line.startswith(b"ETag: "))
        # Compared by entity tag only: `revoked` may be signed in the same second as `good`, so dates cannot tell them apart.
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


class SigningBackend:
    """Interface of the signer that answers a `SigningRequest`."""

    def ask(self, wanted: SigningRequest, then: "Then") -> bool:
        """Returns True if it accepts; then it calls `then` once, within about a second. This class has no signer."""
        return False


class Then:
    """A connection and a request that wait for the signer. Called with the signer's response, or with None."""

    def __init__(self, connection: "Connection", request: Request, wanted: SigningRequest) -> None:
        self._connection, self._request, self._wanted = connection, request, wanted

    def __call__(self, said: Live | None) -> None:
        """Answers, and continues with the requests that arrived in the meantime."""
        self._connection.resume(self._request, self._wanted, said)


class Server:
    """State that the connections of a process share."""

    def __init__(self, responder: Responder, asker: SigningBackend | None = None) -> None:
        self.responder = responder
        self.asker = asker or SigningBackend()
        self.connections: set[Connection] = set()
        self.beat = 0
        """Seconds since the start, counted by `tick`."""
        self.kept, self.last = HeaderCache(), HeaderCache()
        """Cached headers, of requests that keep the connection open and of requests that close it."""
        self.start = b""
        self.ending = False
        self.tick()

    def tick(self) -> None:
        """Runs once a second: sets a new Date, and closes connections that are idle or too slow."""
        self.beat += 1
        date = formatdate(clock.timestamp(), usegmt=True).encode()
        self.start = b"HTTP/1.1 200 OK\r\nDate: %b\r\n" % date
        for connection in list(self.connections):
            connection.check()

    def head(self, status: HTTPStatus) -> bytes:
        """Returns the status line and Date."""
        return self.start.replace(b"200 OK", f"{status} {status.phrase}".encode(), 1)

    def learn(self, data: bytes, request: Request) -> None:
        """Caches the headers of the complete request `data`, if nothing outside the recognised parts depends on them."""
        heads = self.kept if request.stays else self.last
        heads.learn(data, request.method, request.target, request.body)

    def said_last(self, data: bytes) -> bytes | None:
        """Returns the whole response for a client that sent `data` and wants the connection closed; None if it needs parsing."""
        try:
            said = self.last.answer(self.responder, data)
        except Exception:  # noqa: BLE001  (the connection that takes over answers and logs)
            return None
        return None if said is None or isinstance(said, SigningRequest) else self.start + _CLOSE + said


class Connection(asyncio.Protocol):
    """One client's connection. `first` is what was read from it before the loop had it."""

    def __init__(self, server: Server, first: bytes = b"") -> None:
        self._server = server
        self._first = first
        self._responder = server.responder
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parser: httptools.HttpRequestParser | None = None
        self._between = True  # no request is partly received
        self._waits = False  # for a signer
        self._closing = False
        self._paused = False
        self._held = False  # reading is paused while a request waits for a signer
        self._requests: deque[Request] = deque()
        self._since = server.beat  # when the last complete request came, or the current one began
        self._new()

    def _new(self) -> None:
        self._target, self._body = bytearray(), bytearray()
        self._size = 0
        self._match: str | None = None
        self._special = False  # only `httptools` can judge a header of this request

    # --- asyncio ------------------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accepts the connection, or closes it if too many are open."""
        self._transport = cast("asyncio.Transport", transport)
        if len(self._server.connections) >= CONNECTIONS or self._server.ending:
            transport.close()
            return
        self._server.connections.add(self)
        first, self._first = self._first, b""
        if first:
            self.data_received(first)

    def connection_lost(self, exc: Exception | None) -> None:
        """Removes the connection; a signer's response on its way is dropped."""
        self._closing = True
        self._server.connections.discard(self)

    def pause_writing(self) -> None:
        """Pauses reading while the client does not read its responses."""
        self._paused = True
        self._since = self._server.beat
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Resumes reading, unless a request waits for a signer."""
        self._paused = False
        self._read_on()

    def _read_on(self) -> None:
        if not self._paused and not self._held:
            self._transport.resume_reading()

    def check(self) -> None:
        """Closes the connection if it has been idle or slow for too long."""
        silent = self._server.beat - self._since
        if not self._waits and silent > (IDLE if self._between and not self._paused else READING):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Answers recognised requests; passes the rest to the parser."""
        if self._between and not self._waits and not self._closing:
            self._since = self._server.beat
            said = self._recognised(data)
            if said:
                self._transport.write(self._server.start + said)
            if said is not None:
                return
        self._parse(data)

    def _recognised(self, data: bytes) -> bytes | None:
        """Returns the payload for a complete request with known headers, b"" if it waits for a signer, None for all others."""
        try:
            said = self._server.kept.answer(self._responder, data)
        except Exception:  # noqa: BLE001  (every request gets an answer)
            return self._failed()
        if isinstance(said, SigningRequest):
            method, target = ("GET", b"/ocsp/") if said.cached else ("POST", b"/ocsp")
            return self._ask(Request(method, target), said)
        return said

    def _failed(self) -> bytes:
        """Logs the exception and returns `internalError`. The client gets no details, and the connection stays open."""
        log.exception("could not answer a request")
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
                self._requests[-1] = self._requests[-1]._replace(stays=False)  # no other protocol is supported
        except httptools.HttpParserError:
            self._requests.append(Request("", b"", stays=False))
        if whole and self._between and len(self._requests) == 1 and not self._special:
            self._server.learn(data, self._requests[0])
        self._go_on()

    def on_message_begin(self) -> None:
        """Begins a request."""
        self._new()
        if self._between:
            self._since = self._server.beat
        self._between = False

    def on_url(self, url: bytes) -> None:
        """Receives a part of the URL."""
        self._target += url
        self._count(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Receives one header."""
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
            raise httptools.HttpParserError("the headers are too long")

    def on_body(self, body: bytes) -> None:
        """Receives a part of the body. Of a body that is too long, keeps a beginning that is too long as well."""
        self._size += len(body)
        if len(self._body) <= ocsp_request.MAX_BYTES:
            self._body += body
        if self._size > MAX_BODY + MAX_HEAD:
            raise httptools.HttpParserError("the body is too long")

    def on_message_complete(self) -> None:
        """The request is complete."""
        parser = cast("httptools.HttpRequestParser", self._parser)
        method = parser.get_method().decode("latin-1")
        request = Request(method, bytes(self._target), bytes(self._body), self._match, parser.should_keep_alive())
        self._requests.append(request)
        self._between = True

    # --- answers ------------------------------------------------------------------------------------------------------------

    def _go_on(self) -> None:
        """Answers the requests that are parsed, in order, until one has to wait."""
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
        """Asks the signer. Returns b"" if it accepted, else the payload from the store."""
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
        """Closes the connection, unless a request is in progress."""
        if self._between and not self._waits and not self._requests:
            self._transport.close()
