"""Health addresses of every face: `live` says that the process runs, `ready` that it can do its work."""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, path

Check = Callable[[], str | None]


def database() -> str | None:
    """A database that answers; else what is wrong."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "databasen svarar inte"
    return None


def live(_request: HttpRequest) -> JsonResponse:
    """200 as long as the process answers."""
    return JsonResponse({"status": "ok"}, headers={"Cache-Control": "no-store"})


def urls(**checks: Check) -> list[URLPattern]:
    """`/healthz/live` and `/healthz/ready`; ready is 503 with the failing checks' texts if any fails."""

    def ready(_request: HttpRequest) -> JsonResponse:
        results = {name: check() for name, check in checks.items()}
        failed = any(results.values())
        body = {"status": "fel" if failed else "ok", "checks": {name: text or "ok" for name, text in results.items()}}
        return JsonResponse(body, status=503 if failed else 200, headers={"Cache-Control": "no-store"})

    return [path("healthz/live", live), path("healthz/ready", ready)]
