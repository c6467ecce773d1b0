"""What the pages of Administrera share: who may open them, their frame, sorted and paged lists, and values as rows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import wraps
from types import MappingProxyType
from typing import Any, cast
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _

from issuance.authz import Action, Actor, policy
from issuance.organisations.queries.places import Above, AreaHead, OrganisationHead
from issuance.records.queries.paging import Order
from siths_portal.lib.errors import Conflict, Forbidden
from siths_portal.lib.ids import id_of

TAB = "administration"
NOTHING: Mapping[str, str] = MappingProxyType({})

View = Callable[..., HttpResponse]


@dataclass(frozen=True)
class Link:
    """An entry of the function column; `reason` tells why one is off."""

    name: str
    url: str
    allowed: bool = True
    reason: str = ""
    post: bool = False


@dataclass(frozen=True)
class Crumb:
    """A step of the way to a page; without `url` it is only told."""

    text: str
    url: str = ""


@dataclass(frozen=True)
class Tab:
    """One of an object's pages."""

    text: str
    url: str
    here: bool = False


@dataclass(frozen=True)
class Column:
    """A column's heading; `sort` is the address by which the list is ordered by it, `state` what aria-sort says of it."""

    text: str
    sort: str = ""
    state: str = ""


def configuration_page(view: View) -> View:
    """Opens a view that names no object to those who see configuration somewhere. Raises Forbidden."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        policy.reach(actor_of(request), Action.VIEW_CONFIGURATION)
        return view(request, *args, **kwargs)

    return guarded


def actor_of(request: HttpRequest) -> Actor:
    """Who asks."""
    return cast(Actor, cast(Any, request).actor)


def page(
    request: HttpRequest,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    heading: str,
    kind: str = "",
    crumbs: Sequence[Crumb] = (),
    tabs: Sequence[Tab] = (),
    functions: Iterable[Link] = (),
    configuration: Iterable[Link] = (),
    status: int = 200,
) -> HttpResponse:
    """A page of `administration/base.html`. `kind` is what `heading` is the name of; the way ends with the last of `crumbs`."""
    frame = {
        "tab": TAB,
        "page_heading": heading,
        "kind": kind,
        "crumbs": [Crumb(_("Administrera"), reverse(TAB)), *crumbs],
        "object_tabs": tabs,
        "functions": list(functions),
        "configuration": list(configuration),
    }
    return render(request, template, {**frame, **(context or {})}, status=status)


def way_to_area(head: AreaHead | Above) -> list[Crumb]:
    """The steps to an area's page, which may be told only."""
    seen = isinstance(head, AreaHead) or head.seen
    return [Crumb(_("Utgivningsområde")), Crumb(head.name, reverse("area", args=[head.id]) if seen else "")]


def way_to_organisation(head: OrganisationHead) -> list[Crumb]:
    """The steps to an organisation's page."""
    above = [Crumb(each.name, reverse("organisation", args=[each.id]) if each.seen else "") for each in head.above]
    return [*way_to_area(head.area), Crumb(_("Organisation")), *above, Crumb(head.name, reverse("organisation", args=[head.id]))]


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


def row(label: str, value: object, **more: Any) -> dict[str, Any]:
    """A line of `components/summary_list.html`."""
    return {"label": label, "value": value, **more}


def demand(allowed: bool) -> None:
    """Passes if `allowed`. Raises Forbidden as the policy does."""
    if not allowed:
        raise Forbidden("forbidden", _("Din behörighetsroll tillåter inte åtgärden."))


def demand_there(head: OrganisationHead, allowed: bool) -> None:
    """Passes if `allowed` in the organisation. Raises Forbidden, in an ended one Conflict.

    Nobody sets anything up there (ADR 0222): who had a form open when another ended it is told that, not that his role is amiss.
    """
    if head.ended and not allowed:
        message = _(
            "Organisationen är avslutad, så inget i den kan ändras och inget har sparats. Den kan återupptas på sin egen sida. "
            "Det du skrev finns kvar om du går tillbaka i webbläsaren."
        )
        raise Conflict("organisation-ended", message)
    demand(allowed)
