"""What a day page shows: lines of work that wait, registered by the packages that know them, and their number for the menu.

A package registers its `Source` beside its URLs, like its tabs. A source checks rights itself: without a query, it yields nothing
for an actor whose roles open none of its pages.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from siths_portal.lib import clock
from siths_portal.lib.pages.charts import Chart
from siths_portal.lib.registry import Registry

Text = str | Promise


class Urgency(IntEnum):
    """How soon a line needs its act."""

    TODAY = 0
    THIS_WEEK = 1
    LATER = 2


HEADINGS: dict[Urgency, Text] = {
    Urgency.TODAY: _("I dag"),
    Urgency.THIS_WEEK: _("Den här veckan"),
    Urgency.LATER: _("När du hinner"),
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line, as `components/row.html` draws it: what waits, one sentence about it, and the one act that leads to its place.

    `tag` is the time left in words. `action_url` is `url` unless the act has a page of its own. `persons` are the people whom the
    line names; the page records that they were shown.
    """

    urgency: Urgency
    title: Text
    url: str
    text: Text
    icon: str
    action: Text
    action_url: str = ""
    tag: Text = ""
    tag_kind: str = "due"
    persons: tuple[Any, ...] = ()

    @property
    def color(self) -> str:
        """The colour of the sign: marked if the line is due today."""
        return "urgent" if self.urgency is Urgency.TODAY else ""


@dataclass(frozen=True)
class Figure:
    """A number, as `components/figures.html` draws it. `before` is a second sentence below its name."""

    value: int | str
    name: Text
    before: Text = ""


@dataclass(frozen=True)
class Place:
    """What waits at a place, as `components/row.html` draws it. `url` is empty if no list can be narrowed to the place."""

    number: str
    title: str
    url: str
    text: Text
    color: str = ""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """How it stands where the user is in charge, beside the lines: numbers, a chart with the sentence that heads it, and what
    waits place by place. `places_note` says which part the places are of, if they are not of everything. `chart_id` is the id of
    the chart's heading, of its own on the page.
    """

    figures: Sequence[Figure]
    chart: Chart | None = None
    chart_title: Text = ""
    chart_id: str = ""
    places: Sequence[Place] = ()
    places_note: Text = ""


@dataclass(frozen=True)
class Source:
    """The lines of a package. `lines` gets the actor, and may yield overviews among them, which cost no query of their own;
    `order` places the lines among those of other packages that are as urgent.
    """

    name: str
    order: int
    lines: Callable[[Any], Iterable[Line | Overview]]


SOURCES: Registry[Source] = Registry(key=lambda source: source.name, order=lambda source: source.order)
"""The sources of the portal's day page."""


def found_for(actor: Any) -> tuple[list[Line], list[Overview]]:
    """Returns all lines for the actor, the most urgent first, and the overviews."""
    found = [each for source in SOURCES for each in source.lines(actor)]
    lines = sorted((each for each in found if isinstance(each, Line)), key=lambda line: line.urgency)
    return lines, [each for each in found if isinstance(each, Overview)]


@dataclass(frozen=True)
class Group:
    """The lines of one urgency, as `components/rows.html` draws them."""

    heading: Text
    rows: list[Line]


def grouped(lines: Iterable[Line]) -> Iterator[Group]:
    """Yields the lines by urgency, without empty groups."""
    found = list(lines)
    for urgency, heading in HEADINGS.items():
        if rows := [line for line in found if line.urgency is urgency]:
            yield Group(heading, rows)


@dataclass(frozen=True)
class Waiting:
    """How many lines wait, and how many of them are due today."""

    lines: int
    urgent: int


_KEY = "day"
_KEPT_FOR = dt.timedelta(minutes=5)


def remember(request: HttpRequest, lines: Iterable[Line]) -> Waiting:
    """Stores the number of lines in the session, for the menu of the next pages, and returns it."""
    found = list(lines)
    waiting = Waiting(len(found), sum(line.urgency is Urgency.TODAY for line in found))
    kept = remembered(request)
    stored = request.session.get(_KEY)
    # Written only if it says something new or grows old, since each write is one more query of the page.
    if kept != waiting or (stored and clock.timestamp() - stored[2] > _KEPT_FOR.total_seconds() / 2):
        request.session[_KEY] = [waiting.lines, waiting.urgent, int(clock.timestamp())]
    return waiting


def remembered(request: HttpRequest) -> Waiting | None:
    """Returns the number that the day page showed in this session a few minutes ago, else None.

    Counting needs some ten queries, which no other page has to spare. The session is read by every page anyway, so the number
    costs nothing there; one that is older could be wrong, and a wrong number is worse than none.
    """
    stored = request.session.get(_KEY)
    if not stored or clock.timestamp() - stored[2] > _KEPT_FOR.total_seconds():
        return None
    return Waiting(stored[0], stored[1])
