"""A form takes effect only if a named button sent it (docs/adr/0284).

A card scanner types the number and Enter, and Enter presses a form's first submit button. So a form that changes data begins
with a hidden button that only shows the page again (`{% changes %}`). A POST without any of the buttons below is handled as a GET
of the same page, with the typed values. The middleware does this for all views.
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
"""Buttons that search and change nothing. One of them may be a form's first button, so that Enter searches."""

OTHERS = frozenset(
    {
        "avbryt", "bekrafta", "fler", "fortsatt", "koppla_bort", "lagg_till", "neka", "samma", "ta_tillbaka", "valj",
    }
)  # fmt: skip
"""Buttons of forms with more than one action. Hidden fields must not have these names."""

AGAIN = frozenset({"andra"})
"""Buttons that show the form again with what was typed, as Enter does. They press nothing."""


def pressed(data: QueryDict) -> bool:
    """Returns whether a named button sent the form, and not Enter or a script."""
    return data.get(BUTTON) == ACT or not (SEARCHES | OTHERS).isdisjoint(data)


class NamedButtonMiddleware:
    """Shows the page again if no named button sent the form. Skips views with `csrf_exempt`, which have no forms.

    The view is called as for a GET, and its forms show the typed values without validation. If the view has no GET, the user is
    redirected to the page with the form.
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
        """Changes a POST without a named button to a GET."""
        if request.method != "POST" or getattr(view, "csrf_exempt", False) or pressed(request.POST):
            return None
        keep(request, request.POST)
        request.method = "GET"
        emptied: Any = request
        emptied._post, emptied._files = QueryDict(), MultiValueDict()
        return None


def keep(request: HttpRequest, typed: QueryDict) -> None:
    """Makes this request's page show the typed values: in its Django forms, and as `request.kept_form` for other forms."""
    typed = typed.copy()
    typed.pop("csrfmiddlewaretoken", None)
    typed._mutable = False
    request.kept_form = typed  # type: ignore[attr-defined]
    forms.show_typed(typed)


def _page_before(request: HttpRequest) -> str:
    """Returns the path of the page with the form, from the Referer if that is our own page, else "/"."""
    referer = request.headers.get("Referer", "")
    if not url_has_allowed_host_and_scheme(referer, allowed_hosts={request.get_host()}):
        return "/"
    parts = urlsplit(referer)
    return f"{parts.path}?{parts.query}" if parts.query else parts.path
