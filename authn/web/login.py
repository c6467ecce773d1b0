"""The log-in page. Logging in takes a press of a button: no session begins silently (ASVS 7.6.2)."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

ENDED = {
    "idle": "Du loggades ut eftersom portalen inte hade använts på en stund.",
    "absolute": "Du loggades ut eftersom du hade varit inloggad så länge som en session får vara.",
    "replaced": "Du loggades ut här eftersom du loggade in i en annan webbläsare. Var det inte du, kontakta supporten genast.",
    "ended-elsewhere": "Du loggades ut här från din sida Inställningar i en annan webbläsare.",
    "role-ended": "Du loggades ut eftersom din behörighet har ändrats.",
}


def own_path(value: str) -> str:
    """`value` if it is a path of this site; else the start page's. No log-in leads to another site."""
    if value.startswith("/") and "\\" not in value and url_has_allowed_host_and_scheme(value, allowed_hosts=None):
        return value
    return "/"


@login_not_required
@require_http_methods(["GET", "HEAD"])
def login_page(request: HttpRequest) -> HttpResponse:
    """Says why one has to log in, and offers it."""
    ended = getattr(request.user, "ended", "")
    return render(request, "authn/login.html", {"why": ENDED.get(ended, ""), "next": own_path(request.GET.get("next", "/"))})
