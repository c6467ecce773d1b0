"""Step-up: acts that need a recent log-in send the person to the identity provider and back, form included (S05)."""

import datetime as dt
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django_htmx.http import HttpResponseClientRedirect

from siths_portal.lib import clock

STEP_UP, KEPT = "step_up", "kept_form"
# What `max_age` 0 means in practice: the act follows the log-in that was made for it within this time.
AT_ONCE = dt.timedelta(minutes=5)
_LONGEST_FORM = 20_000


def require_recent_login(request: HttpRequest, max_age: dt.timedelta) -> HttpResponse | None:
    """None if the person logged in at most `max_age` ago (zero: for this act, within AT_ONCE); else the redirect to return.

    The person comes back to this path by GET. The fields of a POST are kept for `kept_form`; uploaded files are not.
    """
    user: Any = request.user
    if clock.now() - user.authenticated_at <= max(max_age, AT_ONCE):
        return None
    request.session[STEP_UP] = {"path": request.get_full_path(), "sent": request.method == "POST"}
    if request.method == "POST":
        form = request.POST.copy()
        form.pop("csrfmiddlewaretoken", None)
        if len(encoded := form.urlencode()) <= _LONGEST_FORM:
            request.session[KEPT] = {"path": request.path, "form": encoded}
    address = f"{reverse('login')}?{urlencode({'next': request.get_full_path()})}"
    return HttpResponseClientRedirect(address) if request.headers.get("HX-Request") else HttpResponseRedirect(address)


def kept_form(request: HttpRequest) -> QueryDict | None:
    """What the person had filled in on this path before a step-up, once; for the form's initial values."""
    kept = request.session.get(KEPT)
    if not kept or kept["path"] != request.path:
        return None
    del request.session[KEPT]
    return QueryDict(kept["form"])
