"""Files that a browser saves: headers that no name can break out of (RFC 6266, S42)."""

import unicodedata

from django.http import HttpResponse
from django.utils.http import content_disposition_header

LONGEST_NAME = 150


def attachment(content: bytes, *, media_type: str, filename: str) -> HttpResponse:
    """A response that is saved as `filename` and never shown as a page. Caching and sniffing are refused by the middleware."""
    response = HttpResponse(content, content_type=media_type)
    response["Content-Disposition"] = content_disposition_header(True, safe_name(filename)) or "attachment"
    return response


def safe_name(filename: str) -> str:
    """`filename` in one piece without controls, separators of folders and what no file system takes; at most 150 characters."""
    kept = "".join("_" if c in '/\\:*?"<>|' else c for c in unicodedata.normalize("NFC", filename) if _printable(c))
    stem, dot, suffix = kept.strip(" .").rpartition(".")
    return f"{stem[: LONGEST_NAME - len(suffix) - 1]}{dot}{suffix}" if stem else kept.strip(" .")[:LONGEST_NAME] or "fil"


def _printable(character: str) -> bool:
    return character == " " or (character.isprintable() and not unicodedata.category(character).startswith("C"))
