"""Where browsers tell that a page broke its Content-Security-Policy (S17): a log line of directive and origin, nothing else."""

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
    """How many reports this process has logged since a moment: anybody may send them, so that logs could be filled."""

    start = clock.now()
    lines = 0


@login_not_required
@csrf_exempt
@require_POST
def report(request: HttpRequest) -> HttpResponse:
    """204 whatever is sent (CSP level 3, `report-uri`). Addresses in reports may hold ids and are cut to their origin (S21)."""
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) <= LARGEST and (told := _told(request.body)) and _room():
        log.warning("page.csp_violated", **told)
    return HttpResponse(status=204)


def urls() -> list[URLPattern]:
    """The address that SECURE_CSP names on faces with people's pages."""
    return [path(PATH, report, name="csp_report")]


def _room() -> bool:
    now = clock.now()
    if now - _Minute.start > _MINUTE:
        _Minute.start, _Minute.lines = now, 0
    _Minute.lines += 1
    return _Minute.lines <= LINES_PER_MINUTE


def _told(body: bytes) -> dict[str, str]:
    try:
        told: Any = json.loads(body)["csp-report"]
        directive, blocked = (
            str(told.get("effective-directive") or told.get("violated-directive")),
            str(told.get("blocked-uri", "")),
        )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
    return {"directive": re.sub(r"[^a-z-].*", "", directive)[:40], "blocked": _origin(blocked)}


def _origin(address: str) -> str:
    """`https://host`, a scheme such as `data:`, or the keyword (`inline`, `eval`) that browsers send instead of an address."""
    try:
        parts = urlsplit(address)
    except ValueError:
        return ""
    text = f"{parts.scheme}://{parts.netloc}" if parts.netloc else f"{parts.scheme}:" if parts.scheme else parts.path
    return text if re.fullmatch(r"[A-Za-z0-9:/.\[\]-]{0,100}", text) else ""
