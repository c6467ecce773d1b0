"""CRLs and CA certificates as published files (RFC 5280 sections 4.2.1.13 and 4.2.2.1, RFC 2585), and a page of links."""

import os
import re
from pathlib import Path

from django.conf import settings
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import get_conditional_response
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from pki.ocsp import status
from siths_portal.lib import clock

CRL_MAX_AGE = 300  # seconds: relying parties that poll through a cache get a new CRL within this time
AIA_MAX_AGE = 86_400
FRESH = 2
"""Seconds after a publication in which responses have no Last-Modified.

Another CRL may follow within the same second, and clients that ask by that date would keep the first. Later the date is a strong
validator (RFC 9110 section 8.8.2.2).
"""

_NAMES = {"cer": re.compile(r"[a-z0-9]{1,64}"), "crl": re.compile(r"[a-z0-9]{1,64}(-(0|[1-9][0-9]{0,2}))?")}


@require_safe
def crl(request: HttpRequest, stem: str) -> HttpResponseBase:
    """Returns the newest published CRL of the CA, or of one of its shards, as stored."""
    return _file(request, "crl", stem, "application/pkix-crl", CRL_MAX_AGE)


@require_safe
def ca_certificate(request: HttpRequest, stem: str) -> HttpResponseBase:
    """Returns the CA's certificate, a single one in DER (B1.9)."""
    return _file(request, "cer", stem, "application/pkix-cert", AIA_MAX_AGE)


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """Lists the CAs with links to their CRL and certificate."""
    context = {"authorities": status.published_authorities(), "ocsp_url": f"{settings.STATUS_BASE_URL}/ocsp"}
    response = render(request, "pki/status_index.html", context)
    response["Cache-Control"] = "max-age=60, public"
    return response


def _file(request: HttpRequest, suffix: str, stem: str, media_type: str, max_age: int) -> HttpResponseBase:
    if not _NAMES[suffix].fullmatch(stem):
        raise Http404
    path = Path(settings.PKI_STATUS_DIR) / {"crl": "crl", "cer": "aia"}[suffix] / f"{stem}.{suffix}"
    try:
        file = path.open("rb")
    except OSError as error:
        raise Http404 from error
    # The open file is one publication, even if the next one is renamed into its place in the meantime.
    stat = os.fstat(file.fileno())
    etag = f'"{stat.st_mtime_ns:x}-{stat.st_ino:x}-{stat.st_size:x}"'
    now, modified = int(clock.now().timestamp()), int(stat.st_mtime)
    headers = {
        "ETag": etag,
        "Expires": http_date(now + max_age),
        "Cache-Control": f"max-age={max_age}, public, no-transform",
    }
    if modified + FRESH <= now:
        headers["Last-Modified"] = http_date(modified)
    whole = HttpResponse(headers=headers)
    conditional: HttpResponseBase | None = get_conditional_response(request, etag, modified, whole)
    if conditional is not None and conditional is not whole:
        file.close()
        return conditional
    return FileResponse(file, content_type=media_type, headers=headers)


def readable() -> str | None:
    """For the readiness check: returns what is wrong if a CRL was published but the folder of files cannot be read, else None."""
    folder = Path(settings.PKI_STATUS_DIR) / "crl"
    if os.access(folder, os.R_OK | os.X_OK) or all(ca.crl_number is None for ca in status.published_authorities()):
        return None
    return "mappen med spärrlistor går inte att läsa"
