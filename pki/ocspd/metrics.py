"""Health checks and counts of a responder process."""

import contextlib
import datetime as dt
import json
import os
import threading
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.ocspd import routing, signer_health
from pki.ocspd.reading import Store, StoreMissing
from siths_portal.lib import clock

if TYPE_CHECKING:
    import prometheus_client

LATE: Final = 10.0
"""Seconds since the publisher's last update after which the health check reports old responses."""
GIVEN_UP: Final = 8 * 3600.0
"""Seconds after which the process is not ready: stored responses expire, and other instances may be more current."""

GOOD: Final = 0
REVOKED: Final = 1
UNKNOWN: Final = 2
ON_HOLD: Final = 3
STATUS_BITS: Final = 2
STATUS_MASK: Final = (1 << STATUS_BITS) - 1

_STATUSES = {GOOD: "good", REVOKED: "revoked", UNKNOWN: "unknown", ON_HOLD: "on_hold"}
_ERRORS = {1: "malformed", 2: "internal", 3: "try_later", 6: "unauthorized"}
# The octets after the serial in a SingleResponse: the status, and the header of thisUpdate (RFC 6960 section 4.2.1).
_STATUS = {b"\x80\x00\x18\x0f": GOOD, b"\x82\x00\x18\x0f": UNKNOWN}
# A RevokedInfo with reason certificateHold: the octets before its time, the length of the time, and the octets after it.
_HOLD, _TIME, _HOLD_REASON = b"\xa1\x16\x18\x0f", 15, b"\xa0\x03\x0a\x01\x06"
_LONG = 8  # octets of a serial that do not occur elsewhere by chance
_WITHIN = 320  # octets of a response within which its first SingleResponse has the status


def count_key_of(answer: bytes, start: int, ca_id: int, serial: bytes) -> int:
    """Returns the number under which `Counts` counts the response that begins at `start`: the CA and the status for the serial.

    `serial` is its octets, with or without leading zeros. For counts only: the response is searched for patterns, not parsed.
    """
    tail = serial.lstrip(b"\0")
    at = answer.find(tail, start, start + _WITHIN) + len(tail)
    status = _STATUS.get(answer[at : at + 4], REVOKED)
    if answer[at : at + 4] == _HOLD and answer.startswith(_HOLD_REASON, at + len(_HOLD) + _TIME):
        status = ON_HOLD
    if status == REVOKED and len(tail) < _LONG:
        # A short serial may also occur by chance earlier in the response.
        found = (each for mark, each in _STATUS.items() if answer.find(tail + mark, start, start + _WITHIN) >= 0)
        status = next(found, REVOKED)
    return ca_id << STATUS_BITS | status


class Counts:
    """Counts since the process began: responses by the number from `count_key_of`, and unsigned errors by their error number."""

    def __init__(self) -> None:
        self.answered: Counter[int] = Counter()
        self.errors: Counter[int] = Counter()

    def totals(self) -> dict[tuple[int, str], int]:
        """Returns all counts by CA and status; for errors, by 0 and the error's name."""
        found = {(0, name): self.errors[number] for number, name in _ERRORS.items()}
        for said, count in list(self.answered.items()):
            found[said >> STATUS_BITS, _STATUSES[said & STATUS_MASK]] = count
        return found


@cache
def counters() -> "tuple[prometheus_client.Counter, prometheus_client.Counter]":
    """Returns the counters of requests by CA and status, and of responses served from a store that was not up to date."""
    from siths_portal.lib.monitoring import metrics

    return (
        metrics.counter("ocsp_requests", "OCSP requests by CA and status; errors have no CA", ["ca", "status"]),
        metrics.counter("ocsp_stale_served", "Answers from a store that had not followed the database for ten seconds"),
    )


class MetricsReporter:
    """Adds the counts to the metrics once a second, in a thread of its own, so that no request writes a log line or a metric."""

    def __init__(self, counts: Counts, folder: Path) -> None:
        self._counts = counts
        self._store = Store(folder)
        self._list = folder / routing.FILE
        self._names: dict[int, str] = {0: ""}
        self._told: Counter[tuple[int, str]] = Counter()

    def start(self) -> None:
        """Starts, if a folder for metrics is configured."""
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            threading.Thread(target=self._run, name="counts", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(1)
            self.tell()

    def tell(self) -> None:
        """Adds the requests counted since the last call."""
        requests, stale = counters()
        late = self._is_late()
        for key, total in self._counts.totals().items():
            grown = total - self._told[key]
            if grown > 0:
                ca_id, status = key
                requests.labels(self._name(ca_id), status).inc(grown)
                self._told[key] = total
                if late and ca_id:
                    stale.inc(grown)

    def _name(self, ca_id: int) -> str:
        """Returns the CA's name for operators, from the publisher's list."""
        if ca_id not in self._names:
            with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
                self._names |= {each["id"]: each["name"] for each in json.loads(self._list.read_bytes())}
        return self._names.setdefault(ca_id, str(ca_id))

    def _is_late(self) -> bool:
        try:
            return clock.now().timestamp() - self._store.index().followed_at > LATE
        except StoreMissing:
            return False  # without a store no response is served


def health(path: str, store: Store) -> tuple[int, str, bytes]:
    """Returns HTTP status, content type and body.

    A process is also ready if the store has not been updated lately, or while nothing can be signed.
    """
    if path == "/healthz/live":
        return 200, "application/json", b'{"status": "ok"}'
    try:
        age = clock.now().timestamp() - store.index().followed_at
    except StoreMissing:
        return _problem("det finns inga svar att lämna ut än")
    if age > GIVEN_UP:
        return _problem(f"svaren har inte följt databasen på {age / 3600:.0f} timmar")
    late = f"svaren är från {age:.0f} s tillbaka; databasen eller publiceringen svarar inte"
    checks = {"store": "ok" if age <= LATE else late, "signing": _signing(store.folder)}
    body = {"status": "ok" if set(checks.values()) == {"ok"} else "degraded", "checks": checks}
    return 200, "application/json", json.dumps(body, ensure_ascii=False).encode()


def _signing(folder: Path) -> str:
    """Returns "ok", or why no response can be signed. The process stays ready: stored responses are valid for hours."""
    fault = signer_health.fault(folder, clock.now().timestamp())
    if fault is None:
        return "ok"
    since = dt.datetime.fromtimestamp(fault.since, dt.UTC)
    return f"inga nya svar kan signeras sedan {since:%Y-%m-%dT%H:%M:%SZ} ({fault.why}); de som finns gäller till sitt slut"


def _problem(text: str) -> tuple[int, str, bytes]:
    body = {
        "type": "urn:siths-portal:problem:not-ready",
        "title": "not-ready",
        "status": 503,
        "detail": f"Processen kan inte göra sitt arbete: {text}.",
        "code": "not-ready",
        "checks": {"store": text},
    }
    return 503, "application/problem+json", json.dumps(body, ensure_ascii=False).encode()
