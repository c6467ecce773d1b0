"""What the issuing came to where the user is in charge: people with a valid eID, activated cards by week, days from order to
activation, and activated and revoked cards by office. It is made of the rows that a job counts by night
(`day.services.counting_outcome`).
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Any

from django.db.models import Case, CharField, DateTimeField, F, Func, QuerySet, Value, When
from django.db.models.functions import Cast, Concat
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.authz.scope import outermost
from issuance.day.models import DailyOutcome
from issuance.people.queries import naming
from siths_portal.lib import clock
from siths_portal.lib.pages.charts import COLUMN, Point, bar_chart
from siths_portal.lib.pages.dates import in_words
from siths_portal.lib.pages.day import Figure, Overview, Place

WEEKS = 12
"""So many whole weeks are in the chart."""

MOST_OFFICES = 6
"""At most this many offices are shown, those with the most activated cards first."""

_FOUR_WEEKS = dt.timedelta(days=28)
_MARK = "outcome"
"""Begins the text of a row, which a query reads together with other things."""


type _Offices = Mapping[str, tuple[str, int, int]]
"""The name, the activated and the revoked cards of each office."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one day in all places of the user. A person with eIDs in two of the places counts in each.

    `offices` is None for a day that was counted or read without them.
    """

    day: dt.date
    people: int | None = None
    activated: int = 0
    waited: tuple[int, ...] = ()
    offices: _Offices | None = None


def places_of(actor: Actor) -> list[str]:
    """Returns the places where the actor orders cards, without those below another. Raises Forbidden if there are none."""
    return [path.rstrip("/").rpartition("/")[2] for path in outermost(policy.reach(actor, Action.ORDER_ORDINARY_CARD))]


def since() -> dt.date:
    """Returns the first day that is read: the Monday before the weeks of the chart, and the week that has begun."""
    today = clock.today()
    return today - dt.timedelta(days=today.weekday(), weeks=WEEKS + 1)


def offices_since() -> dt.date:
    """Returns the first day whose offices are read."""
    return clock.today() - _FOUR_WEEKS


def rows(places: Sequence[str], first: dt.date, offices_from: dt.date) -> QuerySet[DailyOutcome, Any]:
    """Returns a text and a moment for each counted day of the places, for `of_rows`: with offices since `offices_from`."""
    late = When(day__gte=offices_from, then=Cast("offices", CharField()))
    offices = Case(late, default=Value(""), output_field=CharField())
    waited = Func(F("waited"), Value(","), function="array_to_string", output_field=CharField())
    columns = [Cast("people", CharField()), Cast("activated", CharField()), waited, offices]
    parts = [part for column in columns for part in (Value("/"), column)]
    text = Concat(Value(_MARK), *parts, output_field=CharField())
    found = DailyOutcome.objects.filter(place__in=places, day__gte=first)
    return found.order_by().values_list(text, Cast("day", DateTimeField()), naming.nothing())


def of_rows(read: Iterable[tuple[str, dt.datetime, str]]) -> list[Outcome]:
    """Returns the days of the results of `rows`, the newest last, each with the sum of its places. Other results are left out."""
    found: dict[dt.date, Outcome] = {}
    for text, at, *_others in read:
        if text.startswith(f"{_MARK}/"):
            people, activated, waited, offices = text.split("/", 4)[1:]
            day = at.date()
            known = found.get(day, Outcome(day))
            found[day] = Outcome(
                day,
                int(people) + (known.people or 0) if people else known.people,
                known.activated + int(activated),
                known.waited + tuple(int(each) for each in waited.split(",") if each),
                _sum([known.offices, json.loads(offices)]) if offices else known.offices,
            )
    return [found[day] for day in sorted(found)]


def _sum(each_day: Iterable[_Offices | None]) -> _Offices:
    """Returns the sums of each office, with its newest name."""
    found: dict[str, tuple[str, int, int]] = {}
    for offices in each_day:
        for office_id, (name, activated, revoked) in (offices or {}).items():
            _name, activated_before, revoked_before = found.get(office_id, (name, 0, 0))
            found[office_id] = (name, activated_before + activated, revoked_before + revoked)
    return found


def overview(days: Sequence[Outcome]) -> Overview | None:
    """Returns the figures and the chart of the days, or None if no day is counted."""
    if not days:
        return None
    newest = days[-1].day
    weeks = _weeks(days, newest)
    shown = any(week.value for week in weeks)
    late, early = _four_weeks(days, newest), _four_weeks(days, newest - _FOUR_WEEKS)
    offices, note = _offices(late)
    return Overview(
        figures=tuple(_figures(days, late, early)),
        chart=bar_chart(weeks, room=COLUMN) if shown else None,
        chart_title=_trend(_activated(late), _activated(early)) if shown else "",
        chart_note=_("Aktiverade kort per vecka, senast {n}.").format(n=weeks[-1].text) if shown else "",
        chart_id="aktiverade-per-vecka",
        offices=offices,
        offices_note=note,
    )


def _four_weeks(days: Sequence[Outcome], last: dt.date) -> list[Outcome]:
    """Returns the counted days of the 28 that end with `last`: the weeks of the chart end on Sundays, these on any day."""
    return [each for each in days if last - _FOUR_WEEKS < each.day <= last]


def _activated(days: Iterable[Outcome]) -> int:
    return sum(each.activated for each in days)


def _trend(late: int, early: int) -> str:
    """Returns a sentence that compares the cards of the last four weeks and the four before. The figures count the same days."""
    if late > early:
        return _("Fler kort aktiverades de senaste fyra veckorna än de fyra före")
    if late < early:
        return _("Färre kort aktiverades de senaste fyra veckorna än de fyra före")
    return _("Lika många kort aktiverades de senaste fyra veckorna som de fyra före")


def _offices(days: Sequence[Outcome]) -> tuple[Sequence[Place], str]:
    """Returns the offices with the most activated cards of these days, and which offices and days they are."""
    counted = [each for each in days if each.offices is not None]
    if not counted:
        return (), ""
    found = sorted(_sum(each.offices for each in counted).values(), key=lambda office: (-office[1], -office[2], office[0]))
    note = [_("De senaste fyra veckorna.") if counted[0] is days[0] else _("Från {day}.").format(day=in_words(counted[0].day))]
    if len(found) > MOST_OFFICES:
        note.append(_("De {n} kontor som har flest av {all}.").format(n=MOST_OFFICES, all=len(found)))
    return [_place(*office) for office in found[:MOST_OFFICES]], " ".join(note)


def _place(name: str, activated: int, revoked: int) -> Place:
    told = ngettext("{n} spärrat kort.", "{n} spärrade kort.", revoked).format(n=_grouped(revoked))
    return Place(_grouped(activated), name, "", told)


def _figures(days: Sequence[Outcome], late: Sequence[Outcome], early: Sequence[Outcome]) -> Iterator[Figure]:
    """Yields the number of people on the newest day, and what the last four weeks came to beside the four before them."""
    newest, before = days[-1].day, days[-1].day - _FOUR_WEEKS
    people = {each.day: each.people for each in days if each.people is not None}
    if newest in people:
        earlier = _("för fyra veckor sedan: {n}").format(n=_grouped(people[before])) if before in people else ""
        name = ngettext("person med giltigt SITHS eID", "personer med giltigt SITHS eID", people[newest])
        yield Figure(_grouped(people[newest]), name, earlier)
    cards = _activated(late)
    name = ngettext("kort aktiverat de senaste fyra veckorna", "kort aktiverade de senaste fyra veckorna", cards)
    yield Figure(_grouped(cards), name, _("de fyra veckorna före: {n}").format(n=_grouped(_activated(early))))
    waited, waited_before = (sorted(one for each in part for one in each.waited) for part in (late, early))
    if waited:
        median = median_high(waited)
        name = ngettext("dag från beställning till aktivering", "dagar från beställning till aktivering", median)
        earlier = _("median, de fyra veckorna före: {n}").format(n=median_high(waited_before)) if waited_before else _("median")
        yield Figure(_grouped(median), name, earlier)


def _weeks(days: Sequence[Outcome], newest: dt.date) -> list[Point]:
    """Returns the activated cards of the last whole weeks up to the newest day."""
    last = newest - dt.timedelta(days=newest.isoweekday() % 7)
    found: Counter[dt.date] = Counter()
    for each in days:
        found[each.day + dt.timedelta(days=7 - each.day.isoweekday())] += each.activated
    return [_point(last - dt.timedelta(weeks=back), found) for back in reversed(range(WEEKS))]


def _point(sunday: dt.date, found: Counter[dt.date]) -> Point:
    week, cards = sunday.isocalendar().week, found[sunday]
    name = _("Vecka {week}, till {day}").format(week=week, day=sunday.isoformat())
    return Point(_("v. {week}").format(week=week), name, cards, _grouped(cards))


def _grouped(value: int) -> str:
    return str(formats.number_format(value, force_grouping=True))
