"""Pages that show a running process and reload themselves in browsers without script."""

from django.http import HttpRequest, HttpResponse
from django_htmx.http import HttpResponseClientRefresh

from authn.web import made_by_the_page

REFRESH_SECONDS = 10
REFRESH_PARAMETER = "uppdatera"


def refreshing(request: HttpRequest, *, live: bool) -> dict[str, int]:
    """Returns the context of `components/refresh.html` and of the page's head.

    A reload by the page does not extend the session.
    """
    is_refresh = REFRESH_PARAMETER in request.GET
    if is_refresh:
        made_by_the_page(request)
    return {"refresh": REFRESH_SECONDS if live and is_refresh else 0, "refresh_seconds": REFRESH_SECONDS}


def reloaded_if_changed(request: HttpRequest, now: str) -> HttpResponse:
    """Says that nothing has changed if the page shows `now`, which it sends as `sedan`; else has the browser load it again."""
    return HttpResponse(status=204) if request.GET.get("sedan") == now else HttpResponseClientRefresh()
