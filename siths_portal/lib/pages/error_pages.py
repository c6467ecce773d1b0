"""Error pages that say what to do, in Swedish or another language of the site, and the context that all pages share: the sites'
names and URLs.
"""

from collections.abc import Callable

import structlog
from django.conf import settings
from django.core.exceptions import BadRequest, RequestDataTooBig, SuspiciousOperation
from django.db import Error, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from siths_portal.lib.errors import Altered, DomainError, TooManyRequests, Unavailable
from siths_portal.lib.monitoring.logging import current_request_id

log = structlog.get_logger(__name__)

FACE_NAMES = {"minasidor": _("Mina sidor"), "status": "Statustjänst"} | dict.fromkeys(
    ("portal", "api", "login"), "SITHS eID Portal"
)
_FRAMES = {"portal": "portal/page.html", "minasidor": "minasidor/page.html"}
RETRY_AFTER = 30  # seconds
ALTERED = _("Uppgifterna har skadats")
"""The heading of the page for stored data that was changed (`errors.Altered`)."""
_RETRIABLE = (Unavailable.http_status, TooManyRequests.http_status)

_ERRORS = {
    400: (_("Begäran går inte att tolka"), _("Adressen eller uppgifterna har fel form. Gå tillbaka och försök igen.")),
    403: (
        _("Åtgärden gick inte att göra"),
        _(
            "Sidan kan ha varit öppen för länge: ladda om den. Hjälper det inte saknar din roll rätt till åtgärden. "
            "Kontakta din utgivare."
        ),
    ),
    404: (_("Sidan finns inte"), _("Kontrollera adressen, eller börja om från startsidan.")),
    405: (_("Så går det inte att göra här"), _("Gå tillbaka och använd sidans egna knappar och länkar.")),
    409: (_("Något har hunnit ändras"), _("Ladda om sidan, kontrollera vad som gäller nu och försök igen.")),
    410: (_("Sidan finns inte längre"), _("Uppgiften är borttagen. Börja om från startsidan.")),
    413: (_("Uppgifterna är för stora"), _("Välj en mindre fil, eller dela upp uppgifterna, och försök igen.")),
    422: (_("Något behöver rättas"), _("Gå tillbaka, rätta uppgifterna och försök igen.")),
    429: (_("För många försök"), _("Inget har ändrats. Vänta en stund och försök igen.")),
    500: (
        _("Något gick fel hos oss"),
        _("Felet är loggat. Det du gjorde sparades antingen helt eller inte alls. Försök igen om en stund."),
    ),
    503: (_("Tjänsten svarar inte just nu"), _("Inget har ändrats. Försök igen om en stund.")),
}


PRODUCTION = "Produktion"
"""The `ENVIRONMENT_NAME` whose pages show no mark of the environment."""


def faces(request: HttpRequest) -> dict[str, object]:
    """Context processor: this site, its name, its environment if not production, and the URLs of the sites that pages link to."""
    return {
        "site": settings.FACE,
        "face_name": gettext(FACE_NAMES[settings.FACE]),
        "environment": "" if settings.ENVIRONMENT_NAME == PRODUCTION else settings.ENVIRONMENT_NAME,
        "is_start": request.path == "/",
        "portal_url": settings.PORTAL_BASE_URL,
        "minasidor_url": settings.MINASIDOR_BASE_URL,
        "status_url": settings.STATUS_BASE_URL,
    }


def leads_back(request: HttpRequest, url: str, text: str) -> None:
    """Makes an error page of this request link to `url`, the page of what the user was about to change."""
    request.error_page_link = {"url": url, "text": text}  # type: ignore[attr-defined]


def error_page(request: HttpRequest, status: int, *, heading: str = "", message: str = "") -> HttpResponse:
    """Returns the error page for `status`. It works also if database and sessions do not."""
    default_heading, default_message = _ERRORS.get(status, _ERRORS[400 if status < 500 else 500])
    context: dict[str, object] = {
        "heading": gettext(heading or default_heading),
        "message": gettext(message or default_message),
        "request_id": current_request_id(),
        "back": getattr(request, "error_page_link", None),
    }
    response = _in_its_frame(request, status, context)
    if status in _RETRIABLE:
        response["Retry-After"] = str(RETRY_AFTER)
    return response


def with_retry_after(response: HttpResponse, seconds: int | None) -> HttpResponse:
    """Adds the header Retry-After to `response` if `seconds` is set (RFC 9110 section 10.2.3), and returns it."""
    if seconds:
        response["Retry-After"] = str(seconds)
    return response


def _in_its_frame(request: HttpRequest, status: int, context: dict[str, object]) -> HttpResponse:
    """Renders the page in its site's frame for logged-in users. For others, and if session or database may fail, without it."""
    if settings.FACE in _FRAMES and status < 500:
        try:
            if getattr(request, "user", None) is not None and request.user.is_authenticated:
                return render(
                    request, "error.html", {**context, "frame_template": _FRAMES[settings.FACE], "tab": ""}, status=status
                )
        except (Error, DomainError) as error:
            log.warning("page.frame_failed", error=type(error).__name__)
    return render(request, "error.html", {**context, "frame_template": "base.html"}, status=status)


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """`handler400`. Never shows the exception's message. A form that is too large gives 413."""
    return error_page(request, 413 if isinstance(exception, RequestDataTooBig) else 400)


def permission_denied(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """`handler403`."""
    return error_page(request, 403)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`CSRF_FAILURE_VIEW`: shows the page of `permission_denied`."""
    return error_page(request, 403)


def page_not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """`handler404`."""
    return error_page(request, 404)


def server_error(request: HttpRequest) -> HttpResponse:
    """`handler500`. If rendering the error page fails too, returns its text."""
    try:
        return error_page(request, 500)
    except Exception:
        log.exception("page.error_page_failed")
        return HttpResponse(". ".join(map(gettext, _ERRORS[500])), status=500, content_type="text/plain; charset=utf-8")


class ErrorPageMiddleware:
    """Converts a domain error or an unavailable database to an error page. REST views have their own exception handler."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        response = self.get_response(request)
        if settings.DEBUG and response.status_code == 404 and request.resolver_match is None:
            return error_page(request, 404)  # Django's page for developers lists URLs and has no CSP
        return response

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Returns the error page of `exception`, or None for an unexpected one, which Django logs and answers with 500."""
        if isinstance(exception, DomainError):
            heading = ALTERED if isinstance(exception, Altered) else ""
            response = error_page(request, exception.http_status, heading=heading, message=exception.message)
            return with_retry_after(response, exception.retry_after if isinstance(exception, TooManyRequests) else None)
        if isinstance(exception, Http404):
            return error_page(request, 404)
        if isinstance(exception, BadRequest | SuspiciousOperation):
            return bad_request(request, exception)
        if isinstance(exception, OperationalError | InterfaceError):
            log.error("page.database_unavailable", error=type(exception).__name__)
            return error_page(request, Unavailable.http_status)
        return None
