"""What a day page shows: lines of work that wait, registered by the packages that know them, and their number for the menu.

A package registers its `Source` beside its URLs, like its tabs. A source checks rights itself: without a query, it yields nothing
for an actor whose roles open none of its pages.
"""

import datetime as dt
from collections import Counter
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

    `tag` is the time left in words, or with its `tag_kind` a status. `action_url` is `url` unless the act has a page of its own.
    `persons` are the people whom the line names; the page records that they were shown. `is_protected`: its person is not named.
    `tab` is the URL name of an entry of the main menu that counts the line too, and `count` how many things the line stands for
    there. `heading` and `deep_text` replace `title` and `text` in the deep panel, whose heading says what is to be done.
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
    is_protected: bool = False
    is_reserve: bool = False
    tab: str = ""
    count: int = 1
    heading: Text = ""
    deep_text: Text = ""

    @property
    def color(self) -> str:
        """The colour of the sign: that of reserve cards, else marked if the line is due today."""
        if self.is_reserve:
            return "reserve"
        return "urgent" if self.urgency is Urgency.TODAY else ""


@dataclass(frozen=True)
class Figure:
    """A number, as `components/figures.html` draws it. `before` is a second sentence below its name."""

    value: int | str
    name: Text
    before: Text = ""


@dataclass(frozen=True)
class Place:
    """What waits or was done at a place, as `components/row.html` draws it. `url` is empty if no list is of the place."""

    number: str
    title: str
    url: str
    text: Text
    color: str = ""


@dataclass(frozen=True, kw_only=True)
class Overview:
    """How it stands where the user is in charge, beside the lines: numbers, a chart with the sentence that heads it, what waits
    place by place, and the outcome of offices. `places_note` says which part the places are of, if they are not of everything,
    `offices_note` of which time the offices are, and `chart_note` what the bars are. `chart_id` is the id of the chart's heading,
    of its own on the page.
    """

    figures: Sequence[Figure]
    chart: Chart | None = None
    chart_title: Text = ""
    chart_note: Text = ""
    chart_id: str = ""
    places: Sequence[Place] = ()
    places_note: Text = ""
    offices: Sequence[Place] = ()
    offices_note: Text = ""


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


MOST_SHOWN = 99
"""The menu shows numbers up to this one."""


@dataclass(frozen=True)
class Waiting:
    """How many lines or things wait, and how many of the lines are due today."""

    lines: int
    urgent: int = 0

    @property
    def shown(self) -> str:
        """The number in the menu."""
        return str(self.lines) if self.lines <= MOST_SHOWN else f"{MOST_SHOWN}+"


_KEY = "waiting"
_DAY = "day"
_KEPT_FOR = dt.timedelta(minutes=5)


def remember(request: HttpRequest, lines: Iterable[Line]) -> Waiting:
    """Stores what waits in the session, for the menu of the next pages, and returns the number of lines."""
    found = list(lines)
    things: Counter[str] = Counter()
    for line in found:
        things[line.tab] += line.count
    waiting = {_DAY: Waiting(len(found), sum(line.urgency is Urgency.TODAY for line in found))}
    waiting.update({tab: Waiting(count) for tab, count in things.items() if tab})
    kept, stored = remembered(request), request.session.get(_KEY)
    # Written only if it says something new or grows old, since each write is one more query of the page.
    if kept != waiting or (stored and clock.timestamp() - stored[1] > _KEPT_FOR.total_seconds() / 2):
        numbers = {tab: [each.lines, each.urgent] for tab, each in waiting.items()}
        request.session[_KEY] = [numbers, int(clock.timestamp())]
    return waiting[_DAY]


def remembered(request: HttpRequest) -> dict[str, Waiting]:
    """Returns what the day page found in this session a few minutes ago, by entry of the main menu; nothing if that is long ago.

    Counting needs some ten queries, which no other page has to spare. The session is read by every page anyway, so the numbers
    cost nothing there; one that is older could be wrong, and a wrong number is worse than none.
    """
    stored = request.session.get(_KEY)
    if not stored or clock.timestamp() - stored[1] > _KEPT_FOR.total_seconds():
        return {}
    return {tab: Waiting(*numbers) for tab, numbers in stored[0].items()}
