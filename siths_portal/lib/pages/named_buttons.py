"""Forms act on a named button only (docs/adr/0284).

A card scanner is a keyboard that ends with Enter, and a browser gives Enter to a form's first submit button. So a form that
changes something begins with a hidden button that only shows the page again (`{% changes %}`), and a POST that carries none of
the buttons below is answered as a GET of the same page, with what was typed. No view decides this for itself.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.utils.datastructures import MultiValueDict
from django.utils.http import url_has_allowed_host_and_scheme

from siths_portal.lib.pages import forms

BUTTON, ACT, SHOW = "gor", "utfor", "visa"
"""Name of a form's main button, its value, and the value of the hidden first button."""

SEARCHES = frozenset({"sok", "sok_plats", "filtrera", "visa"})
"""Buttons that look something up and change nothing. One of them may be a form's first: Enter then searches."""

OTHERS = frozenset(
    {
        "avbryt", "bekrafta", "fler", "fortsatt", "koppla_bort", "lagg_till", "samma", "step", "ta_tillbaka", "valj",
    }
)  # fmt: skip
"""Buttons of forms that have more than one act. A hidden field never has such a name."""


def pressed(data: QueryDict) -> bool:
    """Whether a form was sent by one of its own buttons, and not by Enter or by a script alone."""
    return data.get(BUTTON) == ACT or not (SEARCHES | OTHERS).isdisjoint(data)


class NamedButtonMiddleware:
    """Answers a form that was not sent by a named button with its page again. Views with `csrf_exempt` have no forms.

    The view is called as for a GET; its forms show what was typed, unjudged. A view without a page of its own leads back to
    the page that the form was on.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serves the request."""
        with forms.showing_typed():
            response = self.get_response(request)
        if response.status_code == 405 and getattr(request, "kept_form", None) is not None:
            return HttpResponseRedirect(_page_before(request))
        return response

    def process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        """Makes a GET of a POST without a named button."""
        if request.method != "POST" or getattr(view, "csrf_exempt", False) or pressed(request.POST):
            return None
        keep(request, request.POST)
        request.method = "GET"
        emptied: Any = request
        emptied._post, emptied._files = QueryDict(), MultiValueDict()
        return None


def keep(request: HttpRequest, typed: QueryDict) -> None:
    """Lets this request's page show what was typed: in its forms, and by `request.kept_form` in what is no Django form."""
    typed = typed.copy()
    typed.pop("csrfmiddlewaretoken", None)
    typed._mutable = False
    request.kept_form = typed  # type: ignore[attr-defined]
    forms.show_typed(typed)


def _page_before(request: HttpRequest) -> str:
    """The path of the page that the form was on, by Referer if that is one of ours; else the start page."""
    came = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(came, allowed_hosts={request.get_host()}):
        return "/"
    parts = urlsplit(came)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
