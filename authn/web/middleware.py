"""Sets the request's session and user, and requires log-in. Django's `login_not_required` marks public views."""

import datetime as dt
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode, urlsplit

import structlog
from django.conf import settings
from django.contrib.sessions.backends.base import UpdateError
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.middleware.csrf import CsrfViewMiddleware
from django.urls import reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext
from django_htmx.http import HttpResponseClientRedirect

from authn.domain.principal import Anonymous, Principal
from authn.services import kept_forms, sessions, sites
from authn.sessions import SessionStore
from authn.web import step_up
from siths_portal.lib import clock
from siths_portal.lib.pages import error_pages

log = structlog.get_logger(__name__)

RESUBMIT, NOT_KEPT, IS_KEPT = "skickat", "1", "kvar"
"""The parameter, also of the anonymous session, that says that a form was sent without a session, and whether it is kept."""

FORM_TYPE = "application/x-www-form-urlencoded"
Handler = Callable[[HttpRequest], HttpResponse]


def not_activity[View: Callable[..., Any]](view: View) -> View:
    """Marks a view that a page's script calls, such as a poll. A call does not keep the session of an idle person alive."""
    view.session_activity = False  # type: ignore[attr-defined]
    return view


def made_by_the_page(request: HttpRequest) -> None:
    """Marks one request as sent by a page's script, if the view also serves people. See `not_activity`."""
    request.session_activity = False  # type: ignore[attr-defined]


class SessionMiddleware:
    """Sets `request.session` and `request.user` (Principal or Anonymous). Both are read at first use.

    A session ends after its site's idle time and absolute time, and is valid on its own site only.
    """

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request, then saves a changed session and sets the cookie. Saves nothing after a 5xx response."""
        store = SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        request.session = store
        request.user = SimpleLazyObject(lambda: _principal(request, store))  # type: ignore[assignment]
        response = self.get_response(request)
        present: Any = request.session  # a view may have replaced it
        if response.status_code < 500 and (present.was_read or present.modified):
            self._finish(request, present, response)
        return response

    @staticmethod
    def _finish(request: HttpRequest, store: SessionStore, response: HttpResponse) -> None:
        view = request.resolver_match.func if request.resolver_match else None
        is_activity = getattr(view, "session_activity", True) and getattr(request, "session_activity", True)
        if (row := store.live_row) is not None and is_activity:
            sessions.touch(row)
        if store.modified and not store.is_empty():
            try:
                store.persist()
            except UpdateError:
                log.info("authn.session_ended_meanwhile")
                return
            _set_cookie(response, store.session_key or "")
        elif store.row is None and settings.SESSION_COOKIE_NAME in request.COOKIES:
            drop_cookie(response)


def _set_cookie(response: HttpResponse, key: str) -> None:
    response.set_cookie(
        settings.SESSION_COOKIE_NAME,
        key,
        path="/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def drop_cookie(response: HttpResponse) -> None:
    """Deletes the session cookie."""
    response.delete_cookie(settings.SESSION_COOKIE_NAME, path="/", samesite="Lax")
    if settings.SESSION_COOKIE_SECURE:
        response.cookies[settings.SESSION_COOKIE_NAME]["secure"] = True


def _principal(request: HttpRequest, store: SessionStore) -> Principal | Anonymous:
    """Returns the person of the session. If the database does not respond, returns Anonymous and protected views give 503."""
    try:
        row = store.row
    except (OperationalError, InterfaceError) as error:
        log.error("authn.sessions_unavailable", error=type(error).__name__)
        request.sessions_unavailable = True  # type: ignore[attr-defined]
        return Anonymous()
    if row is None or row.authenticated_at is None or not sites.is_here(row.subject_ref):
        return Anonymous()
    if ended := sessions.why_ended(row):
        return Anonymous(ended)
    return Principal(
        row.subject_ref,
        row.hsa_id,
        row.display_name,
        row.unit_name,
        row.id,
        row.authenticated_at,
        row.means,
        row.credential_ref,
    )


class LoginRequiredMiddleware:
    """Redirects anonymous visitors to the log-in page and back. If a lost role ended the session, shows that instead (S06)."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Returns None if the user is logged in or the view is public. Otherwise returns the response instead of the view's."""
        if not getattr(view, "login_required", True):  # also the eID app's API, which uses no session
            return None
        if request.user.is_authenticated:
            if request.method == "GET" and getattr(view, "session_activity", True):
                step_up.restore(request)
            return None
        if getattr(request, "sessions_unavailable", False):
            return error_pages.error_page(request, 503)
        if getattr(request.user, "ended", "") == sessions.ROLE_ENDED:
            response = error_pages.error_page(
                request,
                403,
                heading=gettext("Du har loggats ut"),
                message=gettext("Din behörighet har ändrats. Logga in igen för att fortsätta."),
            )
            drop_cookie(response)
            return response
        return to_login(request)


def to_login(request: HttpRequest) -> HttpResponse:
    """Returns a redirect to the log-in page, which then returns to this page (for htmx: to the page that sent the request)."""
    page, resubmit = request.get_full_path(), {}
    if request.headers.get("HX-Request"):
        parts = urlsplit(request.headers.get("HX-Current-URL", ""))
        page = parts.path + (f"?{parts.query}" if parts.query else "")
    elif request.method not in ("GET", "HEAD") and request.resolver_match.url_name != "session_continue":  # type: ignore[union-attr]
        # In the URL and not in a session, so that an anonymous request writes no row of the session table.
        resubmit = {RESUBMIT: IS_KEPT if _keep_form(request) else NOT_KEPT}
    address = f"{reverse('login')}?{urlencode({'next': page, **resubmit})}"
    return HttpResponseClientRedirect(address) if request.headers.get("HX-Request") else HttpResponseRedirect(address)


def _keep_form(request: HttpRequest) -> bool:
    """Keeps the sent form if a time limit or a newer log-in has ended the session. Returns whether it was kept.

    The cookie of the ended session identifies the person, and the CSRF token shows that the form is from our own page. The form
    is accepted until KEPT_FOR after the idle end of the session, and shown only after a log-in.
    """
    store: Any = request.session
    row = store.row
    if row is None or getattr(request.user, "ended", "") not in sessions.KEEPING:
        return False
    fits = int(request.headers.get("Content-Length") or 0) <= kept_forms.LONGEST and request.content_type == FORM_TYPE
    if not fits or row.last_seen_at < clock.now() - kept_forms.KEPT_FOR - dt.timedelta(
        seconds=sites.site_of(row.subject_ref).idle_seconds
    ):
        return False
    token = CsrfViewMiddleware(lambda _request: HttpResponse())
    token.process_request(request)
    if token.process_view(request, HttpResponse, (), {}) is not None:
        return False
    return kept_forms.keep(row.subject_ref, request.path, step_up.encoded_form(request))
