"""The OCSP responder as a Django view (RFC 6960 appendix A.1, RFC 9919): it serves stored responses, and signs none.

It answers while `ocspd` is down, and counts its responses in the same way.
"""

from typing import Final

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from pki.domain import ocsp_request
from pki.ocsp import status
from pki.ocspd import metrics
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex

log = structlog.get_logger(__name__)
MEDIA_TYPE = "application/ocsp-response"
MAX_AGE = 60  # seconds; a revocation must not hide longer in caches

_MALFORMED: Final = b"\x30\x03\x0a\x01\x01"
_TRY_LATER: Final = b"\x30\x03\x0a\x01\x03"
_UNAUTHORIZED: Final = b"\x30\x03\x0a\x01\x06"


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def respond(request: HttpRequest, encoded: str = "") -> HttpResponseBase:
    """Answers one OCSP request. Errors are unsigned, with HTTP status 200 and no cache headers (B1.26)."""
    ca, said = "", "internal"  # unless a response is found
    try:
        ca, said, response = _answered(request, encoded)
    finally:
        metrics.counters()[0].labels(ca, said).inc()
    return response


def _answered(request: HttpRequest, encoded: str) -> tuple[str, str, HttpResponseBase]:
    """Returns the CA, the status for the metrics, and the response; errors have no CA."""
    try:
        der = _body(request) if request.method == "POST" else ocsp_request.decode_path(encoded)
        found = status.answer(ocsp_request.parse(der))
    except ocsp_request.MalformedRequest:
        return "", "malformed", _error(_MALFORMED)
    except (ocsp_request.UnknownHash, status.Unauthorized):
        return "", "unauthorized", _error(_UNAUTHORIZED)
    except status.TryLater:
        return "", "try_later", _error(_TRY_LATER)
    except (OperationalError, InterfaceError) as error:
        log.error("ocsp.database_unavailable", error=type(error).__name__)
        return "", "try_later", _error(_TRY_LATER)
    response = HttpResponse(found.der, content_type=MEDIA_TYPE)
    return found.ca, found.status, response if request.method == "POST" else _cacheable(request, response, found)


def _body(request: HttpRequest) -> bytes:
    try:
        length = int(request.headers.get("Content-Length") or 0)
    except ValueError:
        length = 0
    if not 0 < length <= ocsp_request.MAX_BYTES:
        raise ocsp_request.MalformedRequest("length")
    try:
        return request.read(length)
    except UnreadablePostError as error:
        raise ocsp_request.MalformedRequest("body") from error


def _error(der: bytes) -> HttpResponse:
    return HttpResponse(der, content_type=MEDIA_TYPE)


def _cacheable(request: HttpRequest, response: HttpResponse, found: status.StoredAnswer) -> HttpResponseBase:
    """Adds the headers of RFC 9919 section 6, or returns a 304 if the client already has this response."""
    etag = f'"{sha256_hex(found.der)}"'
    max_age = max(0, min(MAX_AGE, int((found.next_update - clock.now()).total_seconds())))
    response["ETag"] = etag
    response["Last-Modified"] = http_date(int(found.this_update.timestamp()))
    response["Expires"] = http_date(int(found.next_update.timestamp()))
    response["Cache-Control"] = f"max-age={max_age}, public, no-transform, must-revalidate"
    # Compared by entity tag only: `revoked` may be signed in the same second as `good`, so dates cannot tell them apart.
    conditional: HttpResponseBase | None = get_conditional_response(request, etag, None, response)
    return conditional if conditional is not None else response
