"""Responses with files for the browser to save, with safe file names in headers (RFC 6266, S42), and images for pages (S34)."""

import unicodedata
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse, StreamingHttpResponse
from django.utils.csp import CSP
from django.utils.http import content_disposition_header
from django.views.decorators.csp import csp_override

LONGEST_NAME = 150


def attachment(content: bytes, *, media_type: str, filename: str) -> HttpResponse:
    """Returns a response that the browser saves as `filename` and never displays. Middleware forbids caching and sniffing."""
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(True, safe_name(filename)) or "attachment"
    return response


def streamed_attachment(content: Iterable[bytes], *, media_type: str, filename: str) -> StreamingHttpResponse:
    """Returns the same for a file that is generated while it is sent."""
    response = StreamingHttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(True, safe_name(filename)) or "attachment"
    return response


_DATA: Any = {"default-src": [CSP.NONE], "sandbox": True}
serves_picture = csp_override(_DATA)
"""Decorates views that return `picture`. Its CSP allows no script and no loading, whatever type the browser assumes."""


def picture(content: bytes, *, media_type: str) -> HttpResponse:
    """Returns an image that only this site's pages may load and that no cache stores."""
    headers = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store"}
    return HttpResponse(content, content_type=media_type, headers=headers)


def safe_name(filename: str) -> str:
    """Returns `filename` without control characters and "_" for characters that file systems refuse; at most 150 characters."""
    kept = "".join("_" if c in '/\\:*?"<>|' else c for c in unicodedata.normalize("NFC", filename) if _printable(c))
    stem, dot, suffix = kept.strip(" .").rpartition(".")
    return f"{stem[: LONGEST_NAME - len(suffix) - 1]}{dot}{suffix}" if stem else kept.strip(" .")[:LONGEST_NAME] or "fil"


def _printable(character: str) -> bool:
    return character == " " or (character.isprintable() and not unicodedata.category(character).startswith("C"))
