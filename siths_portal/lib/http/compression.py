"""Compression of the responses of the sites."""

from typing import Any

from django.http import HttpRequest
from django.middleware.gzip import GZipMiddleware

_TYPES = ("text/html", "text/csv", "text/css", "text/javascript", "image/svg+xml", "application/xml")
_MARK = "_shows_secret"


class CompressionMiddleware(GZipMiddleware):
    """Compresses text for browsers that accept gzip, unless `leave_uncompressed` was called for the request.

    Django adds random bytes to each response, which hides small differences in length (BREACH).
    """

    def process_response(self, request: HttpRequest, response: Any) -> Any:
        """Returns the response, compressed if its type is text."""
        if hasattr(request, _MARK) or not response.get("Content-Type", "").startswith(_TYPES):
            return response
        return super().process_response(request, response)


def leave_uncompressed(request: HttpRequest) -> None:
    """Keeps the response to `request` uncompressed, because it shows a secret: its compressed length could reveal it (BREACH)."""
    setattr(request, _MARK, True)
