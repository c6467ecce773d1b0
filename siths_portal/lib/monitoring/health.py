"""Health addresses of every face and worker: `live` says that the process runs, `ready` that it can do its work."""

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
    """A database that answers; else what is wrong."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "databasen svarar inte"
    return None


@dataclass(frozen=True)
class Answer:
    """An answer to a question about health: HTTP status, JSON body, content type."""

    status: int
    body: Mapping[str, Any]
    content_type: str = "application/json"


ALIVE = Answer(200, {"status": "ok"})


def ask(checks: Mapping[str, Check]) -> Answer:
    """200 if no check has anything to say; else 503, a problem (RFC 9457) with each check's text.

    Texts are short and fixed: they name no host, key, person or secret. A check that cannot be made has failed.
    """
    results = {name: _ask(name, check) for name, check in checks.items()}
    texts = {name: text or "ok" for name, text in results.items()}
    if not any(results.values()):
        return Answer(200, {"status": "ok", "checks": texts})
    problem = {
        "type": "urn:siths-portal:problem:not-ready",
        "title": "not-ready",
        "status": 503,
        "detail": f"Processen kan inte göra sitt arbete: {', '.join(text for text in results.values() if text)}.",
        "code": "not-ready",
        "checks": texts,
    }
    return Answer(503, problem, PROBLEM)


def _ask(name: str, check: Check) -> str | None:
    try:
        return check()
    except Exception:
        log.exception("health.check_failed", check=name)
        return "kontrollen gick inte att göra"


def _response(answer: Answer) -> JsonResponse:
    headers = {"Cache-Control": "no-store"}
    return JsonResponse(answer.body, status=answer.status, content_type=answer.content_type, headers=headers)


@login_not_required
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return _response(ALIVE)


def urls(**checks: Check) -> list[URLPattern]:
    """`/healthz/live` and `/healthz/ready`; ready is 503 with the failing checks' texts if any fails or cannot be made."""

    @login_not_required
    @require_safe
    def ready(_request: HttpRequest) -> JsonResponse:
        return _response(ask(checks))

    return [path("healthz/live", live), path("healthz/ready", ready)]
