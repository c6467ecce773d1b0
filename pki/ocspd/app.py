"""The OCSP responder's HTTP face as a bare WSGI callable (RFC 6960 appendix A.1, RFC 9919): no Django, no database, no key.

It answers from the store that a publisher writes. A memo of requests as they came in spares the reading of those that come
often; an entry counts only while the certificate's slot says what it said, so that a new status shows at once in every process.
"""

import os
from collections.abc import Iterable
from email.utils import formatdate
from functools import lru_cache
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pki.domain import ocsp_answer, ocsp_request
from pki.domain.ocsp_request import Asked
from pki.ocspd import layout
from pki.ocspd.layout import Record
from pki.ocspd.reading import Index, Store, StoreMissing
from pki.ocspd.routing import Authority, Routes
from pki.ocspd.telling import Counts, Teller, health
from pki.ocspd.wishing import Wishes
from siths_portal.lib import clock

_OK = "200 OK"
_TYPE = ("Content-Type", ocsp_answer.MEDIA_TYPE)
_ERRORS = {
    der: [_TYPE, ("Content-Length", str(len(der)))]
    for der in (ocsp_answer.MALFORMED, ocsp_answer.TRY_LATER, ocsp_answer.UNAUTHORIZED)
}
_SAFE = "max-age={}, public, no-transform, must-revalidate"
_WHOLE_AGE = _SAFE.format(ocsp_answer.MAX_AGE)
_DRAINED = 1 << 16
_AGAIN = 60  # seconds before the end of a signed `unknown` at which it is asked for anew


class StartResponse(Protocol):
    """PEP 3333's start_response."""

    def __call__(self, status: str, headers: list[tuple[str, str]], /) -> object:
        """Begins the answer."""


class _Answer(NamedTuple):
    """An answer that may be served while its slot says `word` and until `until`, when its headers need another max-age."""

    table: Index
    at: int
    word: int
    until: float
    body: list[bytes]
    headers: list[tuple[str, str]]
    etag: str
    state: int


class Responder:
    """Answers requests from the store in `folder`. At most twice `memo` requests are remembered."""

    def __init__(self, folder: Path, *, memo: int = 10_000) -> None:
        self._store = Store(folder)
        self._routes = Routes(folder)
        self._wishes = Wishes(folder)
        self._memo: dict[bytes | str, _Answer] = {}
        self._older: dict[bytes | str, _Answer] = {}  # the memo before it was full
        self._memo_size = memo
        self.counts = Counts()
        self.teller = Teller(self.counts)

    def __call__(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request. OCSP errors are unsigned, with HTTP status 200 and no cache headers (B1.26)."""
        path: str = environ["PATH_INFO"]
        if not path.startswith("/ocsp"):
            return self._other(path, environ, start_response)
        method = environ["REQUEST_METHOD"]
        try:
            if method == "POST":
                return self._post(environ, start_response)
            if method in ("GET", "HEAD"):
                return self._get(path[6:], environ, start_response)
        except ocsp_request.MalformedRequest:
            return self._error(ocsp_answer.MALFORMED, start_response)
        except ocsp_request.UnknownHash:
            return self._error(ocsp_answer.UNAUTHORIZED, start_response)
        return _plain(start_response, HTTPStatus.METHOD_NOT_ALLOWED, ("Allow", "GET, HEAD, POST"))

    def _post(self, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        der = environ["wsgi.input"].read(ocsp_request.MAX_BYTES + 1)
        if len(der) > ocsp_request.MAX_BYTES:
            environ["wsgi.input"].read(_DRAINED)  # a connection with an unread body is not used again
            raise ocsp_request.MalformedRequest("length")
        answer = self._memo.get(der) or self._older.get(der)
        if answer is None or answer.table.slots[answer.at] != answer.word or clock.now().timestamp() >= answer.until:
            found = self._answer(der, der)
            if isinstance(found, bytes):
                return self._error(found, start_response)
            answer = found
        self.counts.answered[answer.state] += 1
        start_response(_OK, answer.headers)
        return answer.body

    def _get(self, tail: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        answer = self._memo.get(tail) or self._older.get(tail)
        if answer is None or answer.table.slots[answer.at] != answer.word or clock.now().timestamp() >= answer.until:
            found = self._answer(tail, ocsp_request.decode_path(tail))
            if isinstance(found, bytes):
                return self._error(found, start_response)
            answer = found
        self.counts.answered[answer.state] += 1
        match = environ.get("HTTP_IF_NONE_MATCH")
        # By entity tag alone: "revoked" may be signed in the same second as "good", and dates cannot tell them apart.
        if match is not None and _matches(match, answer.etag):
            start_response("304 Not Modified", answer.headers[2:])  # without the content's
            return []
        start_response(_OK, answer.headers)
        return answer.body

    def _answer(self, memo_key: bytes | str, der: bytes) -> _Answer | bytes:
        """What is said to the request: an answer, which is remembered, or an unsigned error."""
        asked = ocsp_request.read(der)
        try:
            authority = self._routes.find(asked.hash, asked.issuer_name_hash, asked.issuer_key_hash)
            if authority is None or not 0 < asked.serial.bit_length() <= 159 or asked.serial < 0:
                return ocsp_answer.UNAUTHORIZED
            index, at, word, record = self._store.find(layout.key(authority.id, asked.serial))
        except StoreMissing:
            return ocsp_answer.TRY_LATER
        if at < 0:
            if authority.signs:
                self._wishes.unknown(authority.id, asked.serial)
            return ocsp_answer.UNAUTHORIZED
        if record is None:
            return ocsp_answer.TRY_LATER
        now = clock.now().timestamp()
        error = self._unservable(record, authority, asked, now)
        if error is not None:
            return error
        der = record.sha1 if asked.hash == "sha1" else record.sha256
        headers, etag, until = _posted(der, record) if isinstance(memo_key, bytes) else _got(der, record, now)
        answer = _Answer(index, at, word, until, [der], headers, etag, record.state)
        if until > now:
            self._remember(memo_key, answer)
        return answer

    def _remember(self, memo_key: bytes | str, answer: _Answer) -> None:
        if len(self._memo) >= self._memo_size:
            self._older, self._memo = self._memo, {}
        self._memo[memo_key] = answer

    def _unservable(self, record: Record, authority: Authority, asked: Asked, now: float) -> bytes | None:
        """The error to say instead of the record's answer; None if it may be served."""
        if record.state == layout.UNKNOWN:
            if record.next_update - now < _AGAIN and authority.signs:
                self._wishes.unknown(authority.id, asked.serial)
            return ocsp_answer.UNAUTHORIZED if not record.this_update <= now < record.next_update else None
        if record.state == layout.ANSWER and record.this_update <= now < record.next_update:
            return None
        if record.state == layout.ANSWER and record.this_update > now:
            return ocsp_answer.TRY_LATER
        if not authority.signs or record.not_after <= now:
            return ocsp_answer.UNAUTHORIZED
        self._wishes.answer(authority.id, asked.serial)
        return ocsp_answer.TRY_LATER

    def _error(self, der: bytes, start_response: StartResponse) -> Iterable[bytes]:
        self.counts.errors[der[4]] += 1
        start_response(_OK, _ERRORS[der])
        return [der]

    def _other(self, path: str, environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        if path in ("/healthz/live", "/healthz/ready") and environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            status, content_type, body = health(path, self._store)
            start_response(
                f"{status} {HTTPStatus(status).phrase}",
                [("Content-Type", content_type), ("Content-Length", str(len(body))), ("Cache-Control", "no-store")],
            )
            return [body]
        return _plain(start_response, HTTPStatus.NOT_FOUND)


def _plain(start_response: StartResponse, status: HTTPStatus, *headers: tuple[str, str]) -> Iterable[bytes]:
    start_response(f"{status} {status.phrase}", [("Content-Type", "text/plain"), ("Content-Length", "0"), *headers])
    return []


def _matches(header: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in header.split(",")]
    return etag in tags or "*" in tags


def _until(record: Record, seconds: float) -> float:
    """When the answer is to be looked at anew, so long before its end; a signed `unknown` early enough to ask for the next."""
    return record.next_update - max(seconds, _AGAIN if record.state == layout.UNKNOWN else 0)


def _posted(der: bytes, record: Record) -> tuple[list[tuple[str, str]], str, float]:
    """Headers of an answer to POST, which no cache keeps; no entity tag; until when they hold."""
    return [_TYPE, ("Content-Length", str(len(der)))], "", _until(record, 0)


def _got(der: bytes, record: Record, now: float) -> tuple[list[tuple[str, str]], str, float]:
    """Headers of an answer to GET (RFC 9919 section 6), its entity tag, and until when they hold."""
    rest = record.next_update - now
    etag = f'"{sha256(der).hexdigest()}"'
    headers = [
        _TYPE,
        ("Content-Length", str(len(der))),
        ("ETag", etag),
        ("Last-Modified", _date(record.this_update)),
        ("Expires", _date(record.next_update)),
        ("Cache-Control", _WHOLE_AGE if rest > ocsp_answer.MAX_AGE else _SAFE.format(int(rest))),
    ]
    return headers, etag, _until(record, ocsp_answer.MAX_AGE)


@lru_cache(4096)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def build() -> Responder:
    """The application of a worker, by its environment: SITHS_OCSP_STORE, SITHS_OCSP_MEMO. Counts are told from a thread."""
    responder = Responder(Path(os.environ["SITHS_OCSP_STORE"]), memo=int(os.environ.get("SITHS_OCSP_MEMO", "10000")))
    responder.teller.start()
    return responder
