"""Makes the OCSP responder's response to a request (RFC 6960, RFC 9919), as bytes of HTTP: no Django, no database, no key.

Responses come from the store that a publisher writes. A memo of requests, by their bytes, saves parsing those that come often; an
entry is valid only while the certificate's slot is unchanged, so every process serves a new status at once. Requests that are not
in the memo usually differ from others only in the serial, so the bytes before the serial are cached too. If only a signer can
answer (`SigningRequest`), the caller asks it and passes its response to `settle`.
"""

import binascii
from pathlib import Path
from typing import Final, NamedTuple

from pki.domain import ocsp_request, ocsp_response
from pki.ocspd import layout
from pki.ocspd.metrics import ON_HOLD, STATUS_MASK, Counts, MetricsReporter, count_key_of
from pki.ocspd.reading import Index, Store, StoreHit, StoreMissing
from pki.ocspd.refresh_requests import RefreshRequests
from pki.ocspd.routing import Authority, Routes
from siths_portal.lib import clock

TYPE: Final = b"Content-Type: application/ocsp-response\r\n"
_SAFE = b"Cache-Control: max-age=%d, public, no-transform, must-revalidate\r\n"
_CACHED: Final = TYPE + _SAFE % ocsp_response.MAX_AGE
_AGAIN = 60  # a signed `unknown` is requested again when it has so many seconds left
_KNOWN = 4096
_ESCAPES: Final = ((b"%2B", b"+"), (b"%2F", b"/"), (b"%3D", b"="))

# Where the serial's value begins in a request of the usual shape without a nonce, by the length octet of the AlgorithmIdentifier:
# five headers come before it, and after it two hashes and the serial's own header. See `ocsp_request`.
_LENGTH_AT: Final = 11
_SERIAL_AT: Final = {0x09: 67, 0x07: 65, 0x0D: 95, 0x0B: 93}


def _with_length(der: bytes) -> bytes:
    return TYPE + b"Content-Length: %d\r\n\r\n" % len(der) + der


ERRORS: Final = {
    der: _with_length(der)
    for der in (ocsp_response.MALFORMED, ocsp_response.INTERNAL, ocsp_response.TRY_LATER, ocsp_response.UNAUTHORIZED)
}


class _Known(NamedTuple):
    """The parsed content of a request up to its serial; cached by those bytes."""

    length: int
    """Length of the complete request."""
    head: bytes
    """The store's key up to the serial."""
    second: bool
    authority: Authority


class _Remembered(NamedTuple):
    """A response that may be served while its slot holds `word`, and until `until`."""

    slots: "memoryview[int]"
    at: int
    word: int
    until: float
    payload: bytes
    count_key: int
    """As `metrics.count_key_of`."""


class _Memo:
    """Keeps at most twice `size` responses: when the newer half is full, the older half is dropped."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.newer: dict[bytes, _Remembered] = {}
        self.older: dict[bytes, _Remembered] = {}

    def put(self, key: bytes, answer: _Remembered) -> None:
        """Stores the response under this key."""
        if len(self.newer) >= self._size:
            self.older, self.newer = self.newer, {}
        self.newer[key] = answer

    def __len__(self) -> int:
        return len(self.newer) + len(self.older)


class SigningRequest(NamedTuple):
    """A request that only a signer can answer now: the response needs a nonce, or the status has no stored response yet."""

    authority: Authority
    key: bytes
    second: bool
    nonce: bytes
    cached: bool
    """Whether caches may keep the response: the request came by GET and has no nonce."""
    stored: bool = False
    """Whether the store has the serial. A client cannot invent such serials."""


class Live(NamedTuple):
    """The signer's response. Times are seconds since 1970."""

    version: int
    this_update: int
    next_update: int
    der: bytes


class Responder:
    """Answers requests from the store in `folder`. Remembers at most twice `memo` requests.

    Payloads are the headers and body that follow `HTTP/1.1 200 OK` and Date; `live` tells whether a signer may be asked.
    """

    def __init__(self, folder: Path, *, memo: int = 10_000) -> None:
        self._store = Store(folder)
        self._routes = Routes(folder)
        self._generation = self._routes.generation
        self._known: dict[bytes, _Known] = {}
        self._refresh_requests = RefreshRequests(folder)
        self._posts, self._gets = _Memo(memo // 2), _Memo(memo // 2)
        self.live = False
        self.counts = Counts()
        self.teller = MetricsReporter(self.counts, folder)

    @property
    def store(self) -> Store:
        """The store that responses come from."""
        return self._store

    def post(self, der: bytes) -> bytes | SigningRequest:
        """Returns the response to a POST with body `der`. OCSP errors are unsigned, and caches must not keep them (B1.26)."""
        found = self._posts.newer.get(der) or self._posts.older.get(der)
        if found is not None and found.slots[found.at] == found.word and clock.timestamp() < found.until:
            self.counts.answered[found.count_key] += 1
            return found.payload
        return self._respond(der, der, cached=False)

    def get(self, tail: bytes) -> bytes | SigningRequest | None:
        """Returns the response to a GET whose URL ends with `tail`, as received (RFC 6960 appendix A.1).

        Returns None for an unusual encoding; the caller percent-decodes it and calls `get_spelled`.
        """
        found = self._gets.newer.get(tail) or self._gets.older.get(tail)
        if found is not None and found.slots[found.at] == found.word and clock.timestamp() < found.until:
            self.counts.answered[found.count_key] += 1
            return found.payload
        text = tail
        if b"%" in text:
            for escape, mark in _ESCAPES:
                text = text.replace(escape, mark)
            for escape, mark in _ESCAPES if b"%" in text else ():
                text = text.replace(escape.lower(), mark)
        try:
            der = binascii.a2b_base64(text, strict_mode=True)
        except ValueError:
            return None
        return self._respond(der, tail, cached=True) if der else None

    def get_spelled(self, tail: str) -> bytes | SigningRequest:
        """Returns the response to a GET whose URL ends with `tail`, percent-decoded once."""
        try:
            der = ocsp_request.decode_path(tail)
        except ocsp_request.MalformedRequest:
            return self.error(ocsp_response.MALFORMED)
        return self._respond(der, b"", cached=True)

    def error(self, der: bytes) -> bytes:
        """Returns an unsigned error, and counts it."""
        self.counts.errors[der[4]] += 1
        return ERRORS[der]

    def _respond(self, der: bytes, memo_key: bytes, *, cached: bool) -> bytes | SigningRequest:
        try:
            asked = self._asked(der, cached=cached)
            if asked is None:
                return self.error(ocsp_response.UNAUTHORIZED)
            index, found = self._store.look_up(asked.key, second=asked.second)
        except ocsp_request.MalformedRequest:
            return self.error(ocsp_response.MALFORMED)
        except ocsp_request.UnknownHash:
            return self.error(ocsp_response.UNAUTHORIZED)
        except StoreMissing:
            return self.error(ocsp_response.TRY_LATER)
        if self.live and self._needs_signer(asked, found):
            # A nonce that is not echoed is left out.
            return asked._replace(nonce=asked.nonce if asked.authority.echo else b"", stored=found is not None)
        return self._stored(asked, index, found, memo_key if not asked.nonce else b"")

    def _asked(self, der: bytes, *, cached: bool) -> SigningRequest | None:
        """Parses a request. Returns None if it is not for one of our CAs. Raises as `ocsp_request.read`, and StoreMissing."""
        if self._routes.look() != self._generation:
            self._known, self._generation = {}, self._routes.generation
        start = _SERIAL_AT.get(der[_LENGTH_AT], 0) if len(der) > _LENGTH_AT else 0
        known = self._known.get(der[:start])
        # Only for a positive serial in its shortest form: the full parser handles one that begins with zero.
        if known is not None and len(der) == known.length and 0 < der[start] < 0x80:
            return SigningRequest(known.authority, known.head + der[start:], known.second, b"", cached)
        asked = ocsp_request.read(der)
        authority = self._routes.find(asked.hash, asked.issuer_name_hash, asked.issuer_key_hash)
        if authority is None or not 0 < asked.serial.bit_length() <= 159 or asked.serial < 0:
            return None
        key, second = layout.key(authority.id, asked.serial), asked.hash == "sha256"
        if start and not asked.nonce and key.endswith(der[start:]) and ocsp_request.walk(der) is not None:
            if len(self._known) >= _KNOWN:
                self._known = {}
            self._known[der[:start]] = _Known(len(der), key[: start - len(der)], second, authority)
        return SigningRequest(authority, key, second, asked.nonce, cached)

    def _needs_signer(self, asked: SigningRequest, found: StoreHit | None) -> bool:
        """Whether a signer can give a better response than the store."""
        authority = asked.authority
        if not authority.signs:
            return False
        if found is None:
            return True
        if found.state == layout.UNKNOWN:
            return False
        if found.state == layout.ANSWER and found.this_update <= clock.timestamp() < found.next_update:
            return bool(asked.nonce) and authority.echo
        return found.not_after > clock.timestamp()

    def settle(self, asked: SigningRequest, signed: Live | None) -> bytes:
        """Returns the response after the signer was asked. If `signed` is None it did not respond, and the store decides.

        The signer's response counts only if the store has no later status.
        """
        try:
            index, found = self._store.look_up(asked.key, second=asked.second)
        except StoreMissing:
            return self.error(ocsp_response.TRY_LATER)
        later = found is not None and found.state != layout.UNKNOWN and signed is not None and found.version > signed.version
        if signed is None or later or not signed.this_update <= clock.timestamp() < signed.next_update:
            return self._stored(asked, index, found, b"")
        count_key = count_key_of(signed.der, 0, asked.authority.id, asked.key[4:])
        # Answers for a certificate on hold are never stored.
        if not asked.nonce and count_key & STATUS_MASK != ON_HOLD:
            unknown = signed.version == layout.UNKNOWN_VERSION
            request = self._refresh_requests.unknown if unknown else self._refresh_requests.response
            request(asked.authority.id, int.from_bytes(asked.key[4:]))
        self.counts.answered[count_key] += 1
        if asked.nonce or not asked.cached:
            return _with_length(signed.der)
        return _CACHED + layout.headers(signed.der, signed.this_update, signed.next_update) + signed.der

    def _stored(self, asked: SigningRequest, index: Index, found: StoreHit | None, memo_key: bytes) -> bytes:
        """Returns the stored response, and remembers it, or returns an unsigned error."""
        now = clock.timestamp()
        if found is None or found.state != layout.ANSWER or not found.this_update <= now < found.next_update:
            error = self._without_answer(asked, found, now)
            if error or found is None:
                return self.error(error)
        rest = found.next_update - now
        if not asked.cached:
            payload, until = _with_length(found.part[found.headers :]), 0
        elif rest > ocsp_response.MAX_AGE:
            payload, until = _CACHED + found.part, ocsp_response.MAX_AGE
        else:
            payload, until = TYPE + _SAFE % int(rest) + found.part, int(rest) + 1  # too short-lived to remember
        if found.state == layout.UNKNOWN:
            until = max(until, _AGAIN)
        count_key = count_key_of(found.part, found.headers, asked.authority.id, asked.key[4:])
        if memo_key and until < rest:
            memo = self._gets if asked.cached else self._posts
            memo.put(memo_key, _Remembered(index.slots, found.at, found.word, found.next_update - until, payload, count_key))
        self.counts.answered[count_key] += 1
        return payload

    def _without_answer(self, asked: SigningRequest, found: StoreHit | None, now: float) -> bytes:
        """Requests a missing response from the publisher and returns the error; returns b"" if a signed `unknown` is current."""
        authority, serial = asked.authority, int.from_bytes(asked.key[4:])
        if found is None or found.state == layout.UNKNOWN:
            holds = found is not None and found.this_update <= now < found.next_update
            if authority.signs and (found is None or found.next_update - now < _AGAIN):
                self._refresh_requests.unknown(authority.id, serial)
            return b"" if holds else ocsp_response.UNAUTHORIZED
        if found.state == layout.ANSWER and found.this_update > now:
            return ocsp_response.TRY_LATER
        if not authority.signs or found.not_after <= now:
            return ocsp_response.UNAUTHORIZED
        self._refresh_requests.response(authority.id, serial)
        return ocsp_response.TRY_LATER
