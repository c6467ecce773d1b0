"""What a process of the responder tells of itself: health, and counts."""

import json
import os
import threading
import time
from collections import Counter
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pki.ocspd import layout
from pki.ocspd.reading import Store, StoreMissing
from siths_portal.lib import clock

if TYPE_CHECKING:
    import prometheus_client

LATE: Final = 10.0
"""Seconds without a sign of the publisher after which answers are told to be of an older state."""
GIVEN_UP: Final = 8 * 3600.0
"""Seconds after which the process is not ready: answers end, and other places may know more."""

LIVE: Final = 3
"""Beside the states of records: an answer that was signed for the request."""

_STATES = {layout.ANSWER: "answered", layout.UNKNOWN: "unknown", LIVE: "live"}
_ERRORS = {1: "malformed", 2: "internal", 3: "try_later", 6: "unauthorized"}


class Counts:
    """Answers by their kind, and unsigned errors by their number, since the process began."""

    def __init__(self) -> None:
        self.answered: Counter[int] = Counter()
        self.errors: Counter[int] = Counter()

    def totals(self) -> dict[str, int]:
        """All counts by name."""
        return {name: self.answered[state] for state, name in _STATES.items()} | {
            name: self.errors[number] for number, name in _ERRORS.items()
        }


@cache
def counters() -> "tuple[prometheus_client.Counter, prometheus_client.Counter]":
    """Requests by what was said, and those of them that were answered from a store that nobody kept up."""
    from siths_portal.lib import metrics

    return (
        metrics.counter("ocspd_requests", "OCSP requests by what was said", ["said"]),
        metrics.counter("ocsp_stale_served", "Answers from a store that had not followed the database for ten seconds"),
    )


class Teller:
    """Hands the counts on to the metrics once a second, apart from the requests: no line and no metric is written for one."""

    def __init__(self, counts: Counts, folder: Path) -> None:
        self._counts = counts
        self._store = Store(folder)
        self._told: Counter[str] = Counter()

    def start(self) -> None:
        """Begins, if there is a folder of metrics."""
        if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            threading.Thread(target=self._run, name="counts", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(1)
            self.tell()

    def tell(self) -> None:
        """Adds what was counted since the last time."""
        requests, stale = counters()
        late = self._is_late()
        for name, total in self._counts.totals().items():
            grown = total - self._told[name]
            if grown > 0:
                requests.labels(name).inc(grown)
                self._told[name] = total
                if late and name in _STATES.values():
                    stale.inc(grown)

    def _is_late(self) -> bool:
        try:
            return clock.now().timestamp() - self._store.index().followed_at > LATE
        except StoreMissing:
            return False  # nothing is answered from it


def health(path: str, store: Store) -> tuple[int, str, bytes]:
    """HTTP status, content type and body. Ready is also who answers from a store that nobody has brought up to date lately."""
    if path == "/healthz/live":
        return 200, "application/json", b'{"status": "ok"}'
    try:
        age = clock.now().timestamp() - store.index().followed_at
    except StoreMissing:
        return _problem("det finns inga svar att lämna ut ännu")
    if age > GIVEN_UP:
        return _problem(f"svaren har inte följt databasen på {age / 3600:.0f} timmar")
    late = f"svaren är från {age:.0f} s tillbaka; databasen eller publiceringen svarar inte"
    body = {"status": "ok" if age <= LATE else "degraded", "checks": {"store": "ok" if age <= LATE else late}}
    return 200, "application/json", json.dumps(body, ensure_ascii=False).encode()


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
