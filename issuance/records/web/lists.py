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
    """Headings of a list: (key of its order, or empty, and text). A click on the present order's turns it round.

    `chosen` are the parameters that tell which rows are listed.
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
    """This page's address with where the next page of a list goes on, in the same order; empty on the last.

    A page with two lists names the second one's `parameter`, and the `fragment` where it stands. `chosen`: as for `columns`.
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
    """This page's address in the same order, on every other page of the list than the first. `chosen`: as for `columns`."""
    if parameter not in request.GET:
        return ""
    return _address(request, {**chosen, **({"ordning": order.text} if order else {})}, fragment)


def _address(request: HttpRequest, parameters: Mapping[str, str], fragment: str = "") -> str:
    query = f"?{urlencode(parameters)}" if parameters else ""
    return f"{request.path}{query}{f'#{fragment}' if fragment else ''}"


def cursor(request: HttpRequest, parameter: str = "efter") -> UUID | None:
    """Where a list goes on from; its first page for what is no cursor."""
    return id_of(request.GET.get(parameter, ""))


def number_cursor(request: HttpRequest, *, largest: int = LARGEST_ID) -> int | None:
    """Returns the number in `?fore=` that the page ends before, or None if it is missing or larger than `largest`."""
    given = request.GET.get("fore", "")
    return int(given) if given.isascii() and given.isdecimal() and len(given) < 20 and int(given) <= largest else None
