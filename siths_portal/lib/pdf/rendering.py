"""Renders tagged PDF/A-3a files with attached data: WeasyPrint runs in a child, and the parent checks the file (ADR 0054)."""

import atexit
import base64
import binascii
import json
import subprocess
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import structlog

from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Unavailable
from siths_portal.lib.pdf.conformance import judge
from siths_portal.lib.processes.children import LineChild

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/pdf"
ATTEMPTS = 3
SECONDS_PER_FILE = 120
FILES_PER_CHILD = 100


@dataclass(frozen=True)
class PdfSource:
    """The input of a PDF: a self-contained HTML page, and a UTF-8 text to attach with its file name.

    `day` (ISO date) is the attachment's date. The same source gives the same bytes.
    """

    html: str
    attached: bytes
    name: str
    description: str
    day: str

    def job(self) -> bytes:
        """Returns the job for the child, as one line."""
        job = {
            "html": self.html,
            "attached": self.attached.decode(),
            "name": self.name,
            "description": self.description,
            "day": self.day,
            "identifier": sha256_hex(self.attached)[:32],
        }
        return json.dumps(job).encode()


class PdfRenderer:
    """A context manager that renders PDF files one after the other in a child, replaced if it dies, hangs or gets old."""

    def __init__(self) -> None:
        self._child = LineChild("siths_portal.lib.pdf.child", jobs=FILES_PER_CHILD)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the child."""
        self._child.end()

    def render(self, source: PdfSource) -> bytes:
        """Returns the PDF of `source`. Raises Unavailable if ATTEMPTS children in a row made no valid file."""
        for attempt in range(1, ATTEMPTS + 1):
            response = self._child.ask(source.job(), seconds=SECONDS_PER_FILE)
            content = _decoded(response or b"")
            fault = judge(content, source.attached)
            if fault is None:
                return content
            log.warning("pdf.failed", attempt=attempt, answered=response is not None, fault=fault)
            self._child.end()
        raise Unavailable("pdf-failed", "PDF-filen kunde inte göras. Försök igen.")


def _decoded(response: bytes) -> bytes:
    try:
        return base64.b64decode(response, validate=True)
    except binascii.Error:
        return b""


class _Shared:
    """The process's renderer for PDFs in requests. Its child keeps running after the first file."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._renderer: PdfRenderer | None = None

    def render(self, source: PdfSource) -> bytes:
        with self._lock:
            if self._renderer is None:
                self._renderer = PdfRenderer()
                atexit.register(self._renderer.close)
            return self._renderer.render(source)


_shared = _Shared()


def render(source: PdfSource) -> bytes:
    """Returns the PDF of `source` from this process's renderer, which makes one file at a time. Raises Unavailable."""
    return _shared.render(source)


def text(content: bytes) -> str:
    """Returns the text of a PDF, laid out by poppler's pdftotext, or "" if pdftotext cannot read the file."""
    done = subprocess.run(
        ["pdftotext", "-layout", "-enc", "UTF-8", "-", "-"], input=content, capture_output=True, check=False, timeout=60
    )
    return done.stdout.decode() if done.returncode == 0 else ""
