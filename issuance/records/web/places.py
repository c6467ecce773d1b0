"""Pages of an area or an organisation. Each package registers its tabs and functions in its `web/urls.py`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from issuance.authz import Action
from issuance.organisations.queries.places import Above, AreaHead, OrganisationHead
from issuance.records.web.frame import ADMINISTRATION, Crumb, Link, Tab, demand, object_page, object_tabs
from siths_portal.lib.errors import Conflict
from siths_portal.lib.registry import Registry


@dataclass(frozen=True)
class TabEntry:
    """A tab of every place of a kind. Its URL takes only the place's id. Tabs are in the order of `position`."""

    url_name: str
    text: Promise
    position: int


@dataclass(frozen=True)
class Function[Head: (AreaHead, OrganisationHead)]:
    """A function of every place of a kind, offered to actors with `right` there; without `right`, to all who see the place.

    `text` may depend on the place. `offered` is a further condition. `reason` returns why the function is disabled, or an empty
    text. `address` returns its URL if it is not `url_name` with the place's id. Functions are in the order of `position`.
    """

    url_name: str
    text: Promise | Callable[[Head], Promise]
    position: int
    right: Action | None = None
    offered: Callable[[Head], bool] = lambda _head: True
    reason: Callable[[Head], str] = lambda _head: ""
    address: Callable[[Head], str] | None = None

    def link(self, head: Head) -> Link:
        """Returns the function as an entry of the function column."""
        url = self.address(head) if self.address else reverse(self.url_name, args=[head.id])
        reason = self.reason(head)
        text = self.text if isinstance(self.text, Promise) else self.text(head)
        return Link(str(text), url, not reason, reason)


def _by_name() -> Registry[Any]:
    return Registry(key=attrgetter("url_name"), order=attrgetter("position"))


@dataclass(frozen=True)
class PlaceFrame[Head: (AreaHead, OrganisationHead)]:
    """What packages have registered for the pages of one kind of place."""

    tabs: Registry[TabEntry] = field(default_factory=_by_name)
    functions: Registry[Function[Head]] = field(default_factory=_by_name)
    configuration: Registry[Function[Head]] = field(default_factory=_by_name)


AREA_PATH = "administrera/utgivningsomrade/<uuid:area_id>/"
ORGANISATION_PATH = "administrera/organisation/<uuid:organisation_id>/"
"""The beginning of the URLs of pages about a place."""

AREA: PlaceFrame[AreaHead] = PlaceFrame()
ORGANISATION: PlaceFrame[OrganisationHead] = PlaceFrame()


def area_page(
    request: HttpRequest,
    template: str,
    head: AreaHead,
    context: Mapping[str, Any] | None = None,
    *,
    here: str,
    step: str = "",
    configuration: Iterable[Link] = (),
    status: int = 200,
) -> HttpResponse:
    """Renders a page about an area: a tab, or with `step` a page below it. `here` is the URL name of the tab.

    `configuration` holds the page's own entries, which follow those of all areas.
    """
    return object_page(
        request,
        ADMINISTRATION,
        template,
        context,
        name=head.name,
        kind=_("Utgivningsområde"),
        way=way_to_area(head),
        step=step,
        tabs=_tabs(AREA, head, here),
        functions=_links(AREA.functions, head),
        configuration=[*_links(AREA.configuration, head), *configuration],
        status=status,
    )


def organisation_page(
    request: HttpRequest,
    template: str,
    head: OrganisationHead,
    context: Mapping[str, Any] | None = None,
    *,
    here: str,
    step: str = "",
    status: int = 200,
) -> HttpResponse:
    """Renders a page about an organisation: a tab, or with `step` a page below it. `here` is the URL name of the tab."""
    kind = _("Underorganisation") if head.is_sub_organisation else _("Organisation")
    return object_page(
        request,
        ADMINISTRATION,
        template,
        context,
        name=head.name,
        kind=_("Avslutad organisation") if head.ended else kind,
        way=way_to_organisation(head),
        step=step,
        tabs=_tabs(ORGANISATION, head, here),
        functions=_links(ORGANISATION.functions, head),
        configuration=_links(ORGANISATION.configuration, head),
        status=status,
    )


def way_to_area(head: AreaHead | Above, *below: str) -> list[Crumb]:
    """Returns the breadcrumbs to an area's page, without a link if the actor may not open it.

    `below` are the names of the places after it. If one of them has the area's name, the area's has its kind before it.
    """
    seen = isinstance(head, AreaHead) or head.seen
    text = f"{_('Utgivningsområde')} {head.name}" if head.name in below else head.name
    return [Crumb(text, reverse("area", args=[head.id]) if seen else "")]


def way_to_organisation(head: OrganisationHead) -> list[Crumb]:
    """Returns the breadcrumbs to an organisation's page."""
    above = [Crumb(each.name, reverse("organisation", args=[each.id]) if each.seen else "") for each in head.above]
    way = [*above, Crumb(head.name, reverse("organisation", args=[head.id]))]
    return [*way_to_area(head.area, *(each.text for each in way)), *way]


def demand_there(head: OrganisationHead, allowed: bool) -> None:
    """Raises Forbidden unless `allowed` in the organisation, or Conflict if the organisation is closed.

    Nobody configures a closed organisation (ADR 0222). The Conflict explains this to a user whose form was open at the time of
    the closing.
    """
    if head.ended and not allowed:
        message = _(
            "Organisationen är avslutad, så inget i den kan ändras och inget har sparats. Den kan återupptas på sin egen sida. "
            "Det du skrev finns kvar om du går tillbaka i webbläsaren."
        )
        raise Conflict("organisation-ended", message)
    demand(allowed)


def _tabs[Head: (AreaHead, OrganisationHead)](frame: PlaceFrame[Head], head: Head, here: str) -> list[Tab]:
    return object_tabs(((entry.url_name, entry.text) for entry in frame.tabs), head.id, here)


def _links[Head: (AreaHead, OrganisationHead)](entries: Iterable[Function[Head]], head: Head) -> Iterator[Link]:
    """Yields the functions that the place offers the actor."""
    for entry in entries:
        if (entry.right is None or entry.right in head.rights) and entry.offered(head):
            yield entry.link(head)
