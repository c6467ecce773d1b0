"""Health checks of services and workers: `live` means that the process runs, `ready` that it can do its work."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

log = structlog.get_logger(__name__)

PROBLEM = "application/problem+json"
Check = Callable[[], str | None]


def database() -> str | None:
    """Checks that the database responds. Returns None, or a Swedish text."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "databasen svarar inte"
    return None


@dataclass(frozen=True)
class HealthResponse:
    """The response to a health check: HTTP status, JSON body, content type."""

    status: int
    body: Mapping[str, Any]
    content_type: str = "application/json"


ALIVE = HealthResponse(200, {"status": "ok"})


def run(checks: Mapping[str, Check]) -> HealthResponse:
    """Runs the checks. Returns 200 if each returns None, else 503 with a problem (RFC 9457) that has each check's text.

    Texts are short and fixed and contain no host, key, person or secret. A check that raises counts as failed.
    """
    results = {name: _run(name, check) for name, check in checks.items()}
    texts = {name: text or "ok" for name, text in results.items()}
    if not any(results.values()):
        return HealthResponse(200, {"status": "ok", "checks": texts})
    problem = {
        "type": "urn:siths-portal:problem:not-ready",
        "title": "not-ready",
        "status": 503,
        "detail": f"Processen kan inte göra sitt arbete: {', '.join(text for text in results.values() if text)}.",
        "code": "not-ready",
        "checks": texts,
    }
    return HealthResponse(503, problem, PROBLEM)


def _run(name: str, check: Check) -> str | None:
    try:
        return check()
    except Exception:
        log.exception("health.check_failed", check=name)
        return "kontrollen gick inte att göra"


def _django_response(health: HealthResponse) -> JsonResponse:
    headers = {"Cache-Control": "no-store"}
    return JsonResponse(health.body, status=health.status, content_type=health.content_type, headers=headers)


@login_not_required
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """Returns 200 as long as the process responds."""
    return _django_response(ALIVE)


def urls(**checks: Check) -> list[URLPattern]:
    """Returns the URLs `/healthz/live` and `/healthz/ready`. Ready gives 503 if a check fails (see `run`)."""

    @login_not_required
    @require_safe
    def ready(_request: HttpRequest) -> JsonResponse:
        return _django_response(run(checks))

    return [path("healthz/live", live), path("healthz/ready", ready)]
