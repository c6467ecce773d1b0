"""Files that a browser saves, with headers that no name can break out of (RFC 6266, S42), and pictures in pages (S34)."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.csp import CSP
from django.utils.http import content_disposition_header
from django.views.decorators.csp import csp_override

LONGEST_NAME = 150


def attachment(content: bytes, *, media_type: str, filename: str) -> HttpResponse:
    """A response that is saved as `filename` and never shown as a page. Caching and sniffing are refused by the middleware."""
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(True, safe_name(filename)) or "attachment"
    return response


def streamed_attachment(content: Iterable[bytes], *, media_type: str, filename: str) -> StreamingHttpResponse:
    """The same of a file that is made while it is sent."""
    response = StreamingHttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(True, safe_name(filename)) or "attachment"
    return response


_DATA: Any = {"default-src": [CSP.NONE], "sandbox": True}
serves_picture = csp_override(_DATA)
"""For views that answer with `picture`: nothing in it may run or load, whatever a browser takes it for."""


def picture(content: bytes, *, media_type: str) -> HttpResponse:
    """A picture for this site's pages alone, kept nowhere."""
    headers = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store"}
    return HttpResponse(content, content_type=media_type, headers=headers)


def safe_name(filename: str) -> str:
    """`filename` in one piece without controls, separators of folders and what no file system takes; at most 150 characters."""
    kept = "".join("_" if c in '/\\:*?"<>|' else c for c in unicodedata.normalize("NFC", filename) if _printable(c))
    stem, dot, suffix = kept.strip(" .").rpartition(".")
    return f"{stem[: LONGEST_NAME - len(suffix) - 1]}{dot}{suffix}" if stem else kept.strip(" .")[:LONGEST_NAME] or "fil"


def _printable(character: str) -> bool:
    return character == " " or (character.isprintable() and not unicodedata.category(character).startswith("C"))
