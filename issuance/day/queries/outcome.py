"""What the issuing came to where the user is in charge: people with a valid eID, activated cards by week, and days from order to
activation. It is made of the rows that a job counts by night (`day.services.counting_outcome`).
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median_high
from typing import Any

from django.db.models import CharField, DateTimeField, F, Func, QuerySet, Value
from django.db.models.functions import Cast, Concat
from django.utils import formats
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.authz import Action, Actor, policy
from issuance.authz.scope import outermost
from issuance.day.models import DailyOutcome
from siths_portal.lib import clock
from siths_portal.lib.pages.charts import Point, bar_chart
from siths_portal.lib.pages.day import Figure, Overview

WEEKS = 12
"""So many whole weeks are in the chart."""

_FOUR_WEEKS = dt.timedelta(days=28)
_MARK = "outcome"
"""Begins the text of a row, which a query reads together with other things."""


@dataclass(frozen=True)
class Outcome:
    """The outcome of one day in all places of the user. A person with eIDs in two of the places counts in each."""

    day: dt.date
    people: int | None = None
    activated: int = 0
    waited: tuple[int, ...] = ()


def places_of(actor: Actor) -> list[str]:
    """Returns the places where the actor orders cards, without those below another. Raises Forbidden if there are none."""
    return [path.rstrip("/").rpartition("/")[2] for path in outermost(policy.reach(actor, Action.ORDER_ORDINARY_CARD))]


def since() -> dt.date:
    """Returns the first day that is read: the Monday before the weeks of the chart, and the week that has begun."""
    today = clock.today()
    return today - dt.timedelta(days=today.weekday(), weeks=WEEKS + 1)


def rows(places: Sequence[str], first: dt.date) -> QuerySet[DailyOutcome, Any]:
    """Returns a text and a moment for each counted day of the places, for `of_rows`."""
    waited = Func(F("waited"), Value(","), function="array_to_string", output_field=CharField())
    parts = [Value("/"), Cast("people", CharField()), Value("/"), Cast("activated", CharField()), Value("/"), waited]
    text = Concat(Value(_MARK), *parts, output_field=CharField())
    found = DailyOutcome.objects.filter(place__in=places, day__gte=first)
    return found.order_by().values_list(text, Cast("day", DateTimeField()))


def of_rows(read: Iterable[tuple[str, dt.datetime]]) -> list[Outcome]:
    """Returns the days of the results of `rows`, the newest last, each with the sum of its places. Other results are left out."""
    found: dict[dt.date, Outcome] = {}
    for text, at in read:
        if text.startswith(f"{_MARK}/"):
            people, activated, waited = text.split("/")[1:]
            day = at.date()
            known = found.get(day, Outcome(day))
            found[day] = Outcome(
                day,
                int(people) + (known.people or 0) if people else known.people,
                known.activated + int(activated),
                known.waited + tuple(int(each) for each in waited.split(",") if each),
            )
    return [found[day] for day in sorted(found)]


def overview(days: Sequence[Outcome]) -> Overview | None:
    """Returns the figures and the chart of the days, or None if no day is counted."""
    if not days:
        return None
    newest = days[-1].day
    weeks = _weeks(days, newest)
    shown = any(week.value for week in weeks)
    return Overview(
        figures=tuple(_figures(days, newest)),
        chart=bar_chart(weeks, half=True) if shown else None,
        chart_title=_("Aktiverade kort per vecka, senast {n}").format(n=weeks[-1].text) if shown else "",
        chart_id="aktiverade-per-vecka",
    )


def _figures(days: Sequence[Outcome], newest: dt.date) -> Iterator[Figure]:
    """Yields the number of people, and what the last four weeks came to beside the four before them."""
    before = newest - _FOUR_WEEKS
    people = {each.day: each.people for each in days if each.people is not None}
    if newest in people:
        earlier = _("för fyra veckor sedan: {n}").format(n=_grouped(people[before])) if before in people else ""
        name = ngettext("person med giltigt SITHS eID", "personer med giltigt SITHS eID", people[newest])
        yield Figure(_grouped(people[newest]), name, earlier)
    late = [each for each in days if before < each.day <= newest]
    early = [each for each in days if before - _FOUR_WEEKS < each.day <= before]
    cards, cards_before = (sum(each.activated for each in part) for part in (late, early))
    name = ngettext("kort aktiverat de senaste fyra veckorna", "kort aktiverade de senaste fyra veckorna", cards)
    yield Figure(_grouped(cards), name, _("de fyra veckorna före: {n}").format(n=_grouped(cards_before)))
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
