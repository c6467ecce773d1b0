"""The outbound HTTP client of all adapters to external systems, with time limits and mutual TLS.

It follows no redirect, takes no proxy or credential from the environment, keeps no cookie, and limits the size and duration of a
response. Log lines contain the host and the path's template, never the values in the path.
"""

import json
import math
import random
import re
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import structlog
from django.conf import settings
from django.db import connection

from siths_portal.lib.errors import NotFound, Refused, Unavailable

if TYPE_CHECKING:
    import requests

log = structlog.get_logger(__name__)

_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})  # RFC 9110 section 9.2.2
_CODE = re.compile(r"[a-z][a-z0-9-]{0,62}")
_FIELD = re.compile(r"\{(\w+)\}")
_MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class Reply:
    """A complete 2xx response."""

    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Returns the body as JSON. Raises Unavailable if it is not JSON, since such a peer does not work correctly."""
        try:
            return json.loads(self.content)
        except ValueError:
            raise _unavailable("upstream-bad-reply") from None


class Client:
    """A client of one external system at `base_url` (absolute, http or https).

    `certificate` and `key` are PEM files for mutual TLS; `ca_bundle` is a PEM file of issuers to accept instead of public ones.
    Safe in threads and after a fork. The constructor raises ValueError if `base_url` is not such a URL.
    """

    def __init__(
        self,
        base_url: str,
        *,
        certificate: str = "",
        key: str = "",
        ca_bundle: str = "",
        connect_timeout: float | None = None,
        read_timeout: float | None = None,
        max_bytes: int = 4 * _MEBIBYTE,
    ) -> None:
        parts = urlsplit(base_url)
        _ = parts.port  # ValueError if it is no number
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError("an outside system's address must be http(s)://host[:port][/path]")
        self.base_url = base_url.rstrip("/")
        self.host = parts.netloc
        self._certificate = (certificate, key) if certificate and key else certificate or None
        self._ca_bundle = ca_bundle
        self._connect_timeout = connect_timeout or settings.OUTBOUND_CONNECT_TIMEOUT
        self._read_timeout = read_timeout or settings.OUTBOUND_READ_TIMEOUT
        self._max_bytes = max_bytes
        self._local = threading.local()

    def get(self, path: str, **options: Any) -> Reply:
        """Calls `request` with GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> Reply:
        """Calls `request` with POST."""
        return self.request("POST", path, **options)

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, object] | None = None,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        retries: int = 0,
        idempotent: bool | None = None,
    ) -> Reply:
        """Sends one request and returns its 2xx response.

        `path` is a template such as `/orders/{id}`, filled with percent-encoded `params`. `body` is sent as JSON, `content` raw.
        `retries` is how often to repeat a call after Unavailable; it needs an idempotent method (RFC 9110 section 9.2.2) or
        `idempotent=True`, else raises ValueError.

        Raises Unavailable (no response, 5xx, 429, too late, too large), NotFound (404) or Refused (any other status), with the
        peer's problem code if it has one. Raises RuntimeError inside a transaction.
        """
        if retries and not (method in _IDEMPOTENT if idempotent is None else idempotent):
            raise ValueError(f"{method} {path} is not idempotent and must not be repeated")
        if any(not block._from_testcase for block in connection.atomic_blocks):  # type: ignore[attr-defined]
            raise RuntimeError("no call to the outside inside a transaction: it would hold locks while the network waits")
        values = dict(params or {})
        filled = _FIELD.sub(lambda field: quote(str(values[field[1]]), safe=""), path)
        sent = {"Accept": "application/json", "Accept-Encoding": "identity", "X-Request-Id": _request_id(), **(headers or {})}
        if body is not None:
            content = json.dumps(body, ensure_ascii=False, allow_nan=False).encode()
            sent.setdefault("Content-Type", "application/json")
        for attempt in range(retries + 1):
            try:
                return self._once(method, path, self.base_url + filled, query=query, content=content, headers=sent)
            except Unavailable:
                if attempt == retries:
                    raise
                time.sleep(random.uniform(0.5, 1.0) * min(2.0, 0.1 * 2**attempt))  # noqa: S311  (spreads repeats, no secret)
        raise AssertionError("unreachable")

    def _once(
        self,
        method: str,
        template: str,
        url: str,
        *,
        query: Mapping[str, str] | None,
        content: bytes | None,
        headers: Mapping[str, str],
    ) -> Reply:
        # Here, since most processes call no external system, and the libraries take long to load.
        from siths_portal.lib.http import client_sessions

        started = time.monotonic()
        deadline = started + self._connect_timeout + 3 * self._read_timeout
        status: int | None = None
        fault: str | None = None
        try:
            with client_sessions.session(self._local, self._certificate, self._ca_bundle).request(
                method,
                url,
                params=query,
                data=content,
                headers=dict(headers),
                timeout=(self._connect_timeout, self._read_timeout),
                allow_redirects=False,
                stream=True,
            ) as response:
                status = response.status_code
                received = _read(response, self._max_bytes, deadline)
                reply = Reply(status, response.headers, received)
        except client_sessions.FAULTS as error:
            fault = type(error).__name__
            raise _unavailable("upstream-unreachable") from None
        except _Excess as error:
            fault = str(error)
            raise _unavailable(fault) from None
        finally:
            seconds = time.monotonic() - started
            client_sessions.count(self.host, status, fault, seconds)
            log.info(
                "http.call",
                method=method,
                host=self.host,
                path=template,
                status=status,
                fault=fault,
                milliseconds=math.ceil(seconds * 1000),
            )
        return _judge(reply)


class _Excess(Exception):
    """The response exceeds a limit; the argument is the error code."""


def _read(response: "requests.Response", limit: int, deadline: float) -> bytes:
    """Reads the body as it arrives, so that neither a large nor a slow response can block a worker. Raises _Excess."""
    received = bytearray()
    while chunk := response.raw.read1(65536, decode_content=True):
        received += chunk
        if len(received) > limit:
            raise _Excess("upstream-reply-too-large")
        if time.monotonic() > deadline:
            raise _Excess("upstream-too-slow")
    return bytes(received)


def _judge(reply: Reply) -> Reply:
    """Returns `reply` if it is 2xx, else raises the error for its status."""
    if 200 <= reply.status < 300:
        return reply
    code = _problem_code(reply)
    if reply.status >= 500 or reply.status == 429:
        raise _unavailable(code or "upstream-error")
    if reply.status == 404:
        raise NotFound(code or "upstream-not-found", "Uppgiften finns inte i det anslutna systemet.")
    raise Refused(code or f"upstream-refused-{reply.status}", "Det anslutna systemet tog inte emot begäran.", status=reply.status)


def _problem_code(reply: Reply) -> str | None:
    """Returns the `code` of a problem document (RFC 9457) if it is kebab-case, else None: other text could be personal data."""
    try:
        code = json.loads(reply.content)["code"]
    except (ValueError, KeyError, TypeError):
        return None
    return code if isinstance(code, str) and _CODE.fullmatch(code) else None


def _unavailable(code: str) -> Unavailable:
    return Unavailable(code, "Ett anslutet system svarar inte som det ska. Inget har ändrats. Försök igen om en stund.")


def _request_id() -> str:
    """Returns the id of the request being served, so that the logs of both systems can be correlated, or a new id."""
    return str(structlog.contextvars.get_contextvars().get("request_id") or uuid.uuid4().hex)
