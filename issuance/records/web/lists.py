"""Cursors and URLs of paged lists that do not use `siths_portal.lib.lists.List`: lists inside forms."""

from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest

from siths_portal.lib.ids import id_of

NOTHING: Mapping[str, str] = MappingProxyType({})


def next_url(
    request: HttpRequest,
    after: object,
    *,
    parameter: str = "efter",
    fragment: str = "",
    chosen: Mapping[str, str] = NOTHING,
) -> str:
    """Returns the URL of the next page of a list, or an empty text on the last page.

    A page with two lists gives the second list its own `parameter` and the `fragment` that leads to it. `chosen` holds the filter
    parameters.
    """
    if not after:
        return ""
    return _address(request, {**chosen, parameter: str(after)}, fragment)


def first_url(
    request: HttpRequest,
    *,
    parameter: str = "efter",
    fragment: str = "",
    chosen: Mapping[str, str] = NOTHING,
) -> str:
    """Returns the URL of the first page of a list, or an empty text on that page. `chosen` as in `next_url`."""
    if parameter not in request.GET:
        return ""
    return _address(request, chosen, fragment)


def _address(request: HttpRequest, parameters: Mapping[str, str], fragment: str = "") -> str:
    query = f"?{urlencode(parameters)}" if parameters else ""
    return f"{request.path}{query}{f'#{fragment}' if fragment else ''}"


def cursor(request: HttpRequest, parameter: str = "efter") -> UUID | None:
    """Returns the id after which the page begins, or None (first page) if the parameter is not an id."""
    return id_of(request.GET.get(parameter, ""))
