"""The client of the child process that runs the official rules. Each process has one child for one document at a time."""

import atexit
import contextlib
import json
import threading

import structlog

from siths_portal.lib.errors import Unavailable
from siths_portal.lib.processes.children import LineChild

log = structlog.get_logger(__name__)
ATTEMPTS = 2
SECONDS_PER_DOCUMENT = 60
DOCUMENTS_PER_CHILD = 2000
UNAVAILABLE = "invoice-rules-failed"
"""The code of the refusal if no child answered."""

IDLE_SECONDS = 120
"""An idle child keeps about 200 MB. A process that only shows a preview now and then should not hold that memory."""


class Validator:
    """Validates documents against the UBL 2.1 XSD and the EN 16931 rules in a child process with bounded memory and time."""

    def __init__(self) -> None:
        self._child = LineChild("billing.documents.official.child", jobs=DOCUMENTS_PER_CHILD)
        self._lock = threading.Lock()
        self._idle: threading.Timer | None = None

    def findings(self, xml: bytes) -> list[tuple[str, str]]:
        """Returns id and official English text of each broken rule; empty if the document keeps all.

        Raises Unavailable if no child answered in ATTEMPTS attempts; the caller must not send the document.
        """
        job = json.dumps(xml.decode()).encode()
        with self._lock:
            self._cancel_idle_timer()
            try:
                for attempt in range(1, ATTEMPTS + 1):
                    answer = self._child.ask(job, seconds=SECONDS_PER_DOCUMENT)
                    with contextlib.suppress(TypeError, ValueError):
                        return [(str(rule), str(text)) for rule, text in json.loads(answer or b"")]
                    self._child.end()
                    log.warning("invoice_rules.failed", attempt=attempt, size=len(xml))
            finally:
                self._start_idle_timer()
        raise Unavailable(UNAVAILABLE, "Fakturan kunde inte kontrolleras mot de officiella reglerna. Försök igen.")

    def close(self) -> None:
        """Ends the child. The next document starts a new one."""
        with self._lock:
            self._cancel_idle_timer()
            self._child.end()

    def _cancel_idle_timer(self) -> None:
        if self._idle:
            self._idle.cancel()
        self._idle = None

    def _start_idle_timer(self) -> None:
        self._idle = threading.Timer(IDLE_SECONDS, self._end_idle_child)
        self._idle.daemon = True
        self._idle.start()

    def _end_idle_child(self) -> None:
        """Ends the child, unless it is validating a document that came after the timer fired."""
        if self._lock.acquire(blocking=False):
            try:
                self._child.end()
            finally:
                self._lock.release()


_shared = Validator()
atexit.register(_shared.close)


def findings(xml: bytes) -> list[tuple[str, str]]:
    """Calls `Validator.findings` on the validator of this process. Raises Unavailable."""
    return _shared.findings(xml)
