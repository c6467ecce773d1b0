"""Health addresses of every face: `live` says that the process runs, `ready` that it can do its work."""

from collections.abc import Callable

import structlog
from django.contrib.auth.decorators import login_not_required
from django.db import Error, connection
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path
from django.views.decorators.http import require_safe

log = structlog.get_logger(__name__)

Check = Callable[[], str | None]


def database() -> str | None:
    """A database that answers; else what is wrong."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Error:
        return "databasen svarar inte"
    return None


@login_not_required
@require_safe
def live(_request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def _ask(name: str, check: Check) -> str | None:
    try:
        return check()
    except Exception:
        log.exception("health.check_failed", check=name)
        return "kontrollen gick inte att göra"


def urls(**checks: Check) -> list[URLPattern]:
    """`/healthz/live` and `/healthz/ready`; ready is 503 with the failing checks' texts if any fails or cannot be made."""

    @login_not_required
    @require_safe
    def ready(_request: HttpRequest) -> JsonResponse:
        results = {name: _ask(name, check) for name, check in checks.items()}
        failed = any(results.values())
        body = {"status": "fel" if failed else "ok", "checks": {name: text or "ok" for name, text in results.items()}}
        return JsonResponse(body, status=503 if failed else 200, headers={"Cache-Control": "no-store"})

    return [path("healthz/live", live), path("healthz/ready", ready)]
