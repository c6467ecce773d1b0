"""Pages that follow something and are drawn anew by the browser itself where script is off."""

from django.http import HttpRequest

from authn.web import made_by_the_page

REFRESH_SECONDS = 10
ASKED = "uppdatera"


def refreshing(request: HttpRequest, *, live: bool) -> dict[str, int]:
    """What `components/refresh.html` and the page's head draw by; a page that refreshes itself keeps nobody logged in."""
    asked = ASKED in request.GET
    if asked:
        made_by_the_page(request)
    return {"refresh": REFRESH_SECONDS if live and asked else 0, "refresh_seconds": REFRESH_SECONDS}
