"""Reports of Content-Security-Policy violations (S17). The log contains only the directive and the blocked origin."""

import datetime as dt
import json
import re
from typing import Any
from urllib.parse import urlsplit

import structlog
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from siths_portal.lib import clock

log = structlog.get_logger(__name__)

PATH = "csp-rapport/"
LARGEST = 16_384  # bytes
LINES_PER_MINUTE = 30
_MINUTE = dt.timedelta(minutes=1)


class _Minute:
    """The number of reports that this process has logged in the present minute. Anybody may send reports and fill the log."""

    start = clock.now()
    lines = 0


@login_not_required
@csrf_exempt
@require_POST
def report(request: HttpRequest) -> HttpResponse:
    """Logs a report (CSP level 3, `report-uri`). Always returns 204. URLs may contain ids, so only the origin is kept (S21)."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) <= LARGEST and (violation := _violation(request.body)) and _within_limit():
        log.warning("page.csp_violated", **violation)
    return HttpResponse(status=204)


def urls() -> list[URLPattern]:
    """Returns the URL of `report-uri` in SECURE_CSP, for sites with pages."""
    return [path(PATH, report, name="csp_report")]


def _within_limit() -> bool:
    now = clock.now()
    if now - _Minute.start > _MINUTE:
        _Minute.start, _Minute.lines = now, 0
    _Minute.lines += 1
    return _Minute.lines <= LINES_PER_MINUTE


def _violation(body: bytes) -> dict[str, str]:
    try:
        sent: Any = json.loads(body)["csp-report"]
        directive, blocked = (
            str(sent.get("effective-directive") or sent.get("violated-directive")),
            str(sent.get("blocked-uri", "")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return {"directive": re.sub(r"[^a-z-].*", "", directive)[:40], "blocked": _origin(blocked)}


def _origin(address: str) -> str:
    """Returns `https://host`, a scheme such as `data:`, or the keyword (`inline`, `eval`) that browsers send instead of a URL."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    text = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:" if parts.scheme else parts.path
    return text if re.fullmatch(r"[A-Za-z0-9:/.\[\]-]{0,100}", text) else ""
