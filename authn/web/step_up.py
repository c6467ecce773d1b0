"""Step-up: an action that needs a recent log-in sends the person to the identity provider and back, and keeps the form (S05)."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from authn.services import kept_forms
from authn.services.sessions import AT_ONCE
from siths_portal.lib import clock
from siths_portal.lib.pages import named_buttons

STEP_UP, KEPT = "step_up", "kept_form"


def require_recent_login(request: HttpRequest, max_age: dt.timedelta) -> HttpResponse | None:
    """Returns None if the person logged in at most `max_age` ago (at least AT_ONCE), else a redirect for the view to return.

    After the log-in the person returns to this path with GET. `kept_form` has the fields of a POST, without uploaded files.
    """
    user: Any = request.user
    if clock.now() - user.authenticated_at <= max(max_age, AT_ONCE):
        return None
    sent = request.method == "POST"
    if request.method == "POST" and len(encoded := encoded_form(request)) <= kept_forms.LONGEST:
        request.session[KEPT] = {"path": request.path, "form": encoded}
    return ask_for_login(request, request.get_full_path(), sent=sent)


def ask_for_login(request: HttpRequest, path: str, *, sent: bool = False) -> HttpResponse:
    """Returns a redirect by which a logged-in person logs in once more and then sees `path`. `sent`: a form waits there."""
    request.session[STEP_UP] = {"path": path, "sent": sent}
    address = f"{reverse('login')}?{urlencode({'next': path})}"
    return HttpResponseClientRedirect(address) if request.headers.get("HX-Request") else HttpResponseRedirect(address)


def encoded_form(request: HttpRequest) -> str:
    """Returns the form's fields, URL-encoded, without the CSRF token and the button that sent it."""
    form = request.POST.copy()
    for name in ("csrfmiddlewaretoken", named_buttons.BUTTON):
        form.pop(name, None)
    return form.urlencode()


def restore(request: HttpRequest) -> None:
    """Makes this request show, once, the fields that the person had filled in before a step-up or the end of the last session."""
    kept = request.session.get(KEPT)
    if kept and kept["path"] == request.path:
        del request.session[KEPT]
        named_buttons.keep(request, QueryDict(kept["form"]))


def kept_form(request: HttpRequest) -> QueryDict | None:
    """Returns the restored fields of this page, or None. Only views without a Django form need it; others restore themselves."""
    fields: QueryDict | None = getattr(request, "kept_form", None)
    return fields
