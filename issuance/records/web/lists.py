"""Heads, cursors and addresses of sorted and paged lists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest

from issuance.records.queries.paging import Order
from siths_portal.lib.ids import id_of

NOTHING: Mapping[str, str] = MappingProxyType({})
LARGEST_ID = 2**63 - 1
"""What a column of event ids holds."""


@dataclass(frozen=True)
class Column:
    """A column's heading; `sort` is the address by which the list is ordered by it, `state` what aria-sort says of it."""

    text: str
    sort: str = ""
    state: str = ""


def columns(
    request: HttpRequest, order: Order, headings: Iterable[tuple[str, str]], *, chosen: Mapping[str, str] = NOTHING
) -> list[Column]:
    """Returns the headings of a list from pairs of its order's key (or empty) and text.

    A click on the heading of the present order reverses it. `chosen` holds the parameters that select the rows.
    """
    made = []
    for key, text in headings:
        here = key == order.key
        turned = Order(key, here and not order.descending)
        state = ("descending" if order.descending else "ascending") if here else ""
        made.append(Column(text, _address(request, {**chosen, "ordning": turned.text}) if key else "", state))
    return made


def next_url(
    request: HttpRequest,
    after: object,
    order: Order | None = None,
    *,
    parameter: str = "efter",
    fragment: str = "",
    chosen: Mapping[str, str] = NOTHING,
) -> str:
    """Returns the address of the next page of a list in the same order; empty on the last page.

    A page with two lists gives the second one its own `parameter`, and the `fragment` that leads to it. `chosen` as in `columns`.
    """
    if not after:
        return ""
    return _address(request, {**chosen, **({"ordning": order.text} if order else {}), parameter: str(after)}, fragment)


def first_url(
    request: HttpRequest,
    order: Order | None = None,
    *,
    parameter: str = "efter",
    fragment: str = "",
    chosen: Mapping[str, str] = NOTHING,
) -> str:
    """Returns the address of the first page of a list in the same order; empty on that page. `chosen` as in `columns`."""
    if parameter not in request.GET:
        return ""
    return _address(request, {**chosen, **({"ordning": order.text} if order else {})}, fragment)


def _address(request: HttpRequest, parameters: Mapping[str, str], fragment: str = "") -> str:
    query = f"?{urlencode(parameters)}" if parameters else ""
    return f"{request.path}{query}{f'#{fragment}' if fragment else ''}"


def cursor(request: HttpRequest, parameter: str = "efter") -> UUID | None:
    """Returns the id after which the page begins. Returns None, for the first page, if the parameter is not an id."""
    return id_of(request.GET.get(parameter, ""))


def number_cursor(request: HttpRequest, *, largest: int = LARGEST_ID) -> int | None:
    """Returns the number in `?fore=` that the page ends before, or None if it is missing or larger than `largest`."""
    given = request.GET.get("fore", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 20 and int(given) <= largest else None
