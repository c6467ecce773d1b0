"""Step-up: acts that need a recent log-in send the person to the identity provider and back, form included (S05)."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from authn.services import kept_forms
from siths_portal.lib import clock
from siths_portal.lib.pages import named_buttons

STEP_UP, KEPT = "step_up", "kept_form"
# What `max_age` 0 means in practice: the act follows the log-in that was made for it within this time.
AT_ONCE = dt.timedelta(minutes=5)


def require_recent_login(request: HttpRequest, max_age: dt.timedelta) -> HttpResponse | None:
    """None if the person logged in at most `max_age` ago (zero: for this act, within AT_ONCE); else the redirect to return.

    The person comes back to this path by GET. The fields of a POST are kept for `kept_form`; uploaded files are not.
    """
    user: Any = request.user
    if clock.now() - user.authenticated_at <= max(max_age, AT_ONCE):
        return None
    request.session[STEP_UP] = {"path": request.get_full_path(), "sent": request.method == "POST"}
    if request.method == "POST" and len(encoded := encoded_form(request)) <= kept_forms.LONGEST:
        request.session[KEPT] = {"path": request.path, "form": encoded}
    address = f"{reverse('login')}?{urlencode({'next': request.get_full_path()})}"
    return HttpResponseClientRedirect(address) if request.headers.get("HX-Request") else HttpResponseRedirect(address)


def encoded_form(request: HttpRequest) -> str:
    """What the form holds, without its token and the button that sent it."""
    form = request.POST.copy()
    for name in ("csrfmiddlewaretoken", named_buttons.BUTTON):
        form.pop(name, None)
    return form.urlencode()


def restore(request: HttpRequest) -> None:
    """Lets this page show, once, what the person had filled in on it before a step-up or the end of the session before."""
    kept = request.session.get(KEPT)
    if kept and kept["path"] == request.path:
        del request.session[KEPT]
        named_buttons.keep(request, QueryDict(kept["form"]))


def kept_form(request: HttpRequest) -> QueryDict | None:
    """What had been filled in on this page before it is shown again; for what is no Django form, which shows it by itself."""
    found: QueryDict | None = getattr(request, "kept_form", None)
    return found
