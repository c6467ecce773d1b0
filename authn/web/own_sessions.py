"""The page Inställningar with the user's own sessions, and the session's remaining time for the warning (WCAG 2.2.1)."""

import math
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from authn.services import sessions, sites
from authn.web.middleware import NOT_KEPT, RESUBMIT, not_activity
from siths_portal.lib import clock
from siths_portal.lib.pages import error_pages

ORIGINAL_URI_HEADER = "X-Original-URI"
"""The header in which the reverse proxy sends the URL of the upload."""


@require_http_methods(["GET", "HEAD", "POST"])
def own_settings(request: HttpRequest) -> HttpResponse:
    """Lists the user's sessions with their times. POST with `session` ends another one."""
    user: Any = request.user
    if request.method == "POST":
        ended = _uuid(request.POST.get("session", ""))
        if ended is not None and ended != user.session_id and sessions.end_own(user.subject_ref, ended):
            messages.success(request, _("Den andra inloggningen är avslutad."))
        else:
            messages.info(request, _("Den inloggningen var redan avslutad."))
        return HttpResponseRedirect(reverse("settings"))
    rows = sessions.own(user.subject_ref)
    return render(request, sites.here().pages["settings"], {"sessions": rows, "tab": ""})


def _uuid(value: str) -> UUID | None:
    try:
        return UUID(value)
    except ValueError:
        return None


@not_activity
@require_safe
def session_state(request: HttpRequest) -> JsonResponse:
    """Returns the seconds until the session ends unless used, and whether use extends it. The call does not count as use."""
    return _state(request)


@require_POST
def session_continue(request: HttpRequest) -> HttpResponse:
    """The button Fortsätt: records a use of the session, which extends it."""
    store: Any = request.session
    sessions.touch(store.row)
    return _state(request)


@login_not_required
@not_activity
@require_safe
def upload_session(request: HttpRequest) -> HttpResponse:
    """Tells the reverse proxy, before it reads an upload, whether the sender has a live session (ADR 0319).

    204 with a session; else 401 with the URL of a log-in that returns to the page in `X-Original-URI`; 503 if the database does
    not respond. The proxy accepts this URL from no client. The call does not count as use of the session.
    """
    if request.user.is_authenticated:
        return HttpResponse(status=204)
    if getattr(request, "sessions_unavailable", False):
        return error_pages.error_page(request, 503)
    query = urlencode({"next": request.headers.get(ORIGINAL_URI_HEADER, "/"), RESUBMIT: NOT_KEPT})
    return HttpResponse(status=401, headers={"Location": f"{reverse('login')}?{query}", "Cache-Control": "no-store"})


def _state(request: HttpRequest) -> JsonResponse:
    store: Any = request.session
    row = store.row
    end = min(sessions.idle_end(row), row.expires_at)
    # Rounded up, so that a browser that asks again after this time finds the session ended.
    seconds = math.ceil((end - clock.now()).total_seconds())
    return JsonResponse({"seconds_left": max(0, seconds), "extendable": end < row.expires_at})
