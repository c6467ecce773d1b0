"""The overview on Dagen for responsible and deputy issuers: figures, a chart by week, and offices.

It uses the rows that the lines of Dagen have read, so it runs no query and counts no person whom the user may not see.
"""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Sequence

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from issuance.day.queries import cards
from issuance.day.queries.counting import Counted, Sent
from siths_portal.lib import clock
from siths_portal.lib.pages.charts import COLUMN, Point, bar_chart
from siths_portal.lib.pages.day import Figure, Overview, Place

OFFICES = 6
"""At most this many offices are shown, those with the most cards first."""


def of(counted: Counted) -> Overview:
    """Returns the overview of what was counted with offices."""
    cut = len(counted.sent) > cards.MOST
    first = counted.sent[: cards.MOST]
    weeks = _weeks(counted.sent, cut)
    shown = len(weeks) > 1 and any(week.value for week in weeks)
    return Overview(
        figures=tuple(_figures(counted)),
        chart=bar_chart(weeks, room=COLUMN, to_come=True) if shown else None,
        chart_title=_chart_title(weeks) if shown else "",
        chart_id="kort-per-vecka",
        places=tuple(_offices(first)),
        places_note=_("De {n} kort som spärras först.").format(n=cards.MOST) if cut else "",
    )


def _figures(counted: Counted) -> Iterator[Figure]:
    sent = len(counted.sent)
    name = ngettext("skickat kort väntar på aktivering", "skickade kort väntar på aktivering", sent)
    yield Figure(cards.number(sent), name, _revoked_soon(counted.sent))
    if (waited := cards.half_waited([each.days_left for each in counted.sent])) is not None:
        half = ngettext("dag eller mer har hälften av korten väntat", "dagar eller mer har hälften av korten väntat", waited)
        yield Figure(waited, half)
    within = _("inom {n} dagar").format(n=cards.ENDING_DAYS)
    yield Figure(cards.number(counted.ending), _("SITHS eID slutar gälla"), within)
    name = ngettext("beställning att göra om", "beställningar att göra om", counted.to_nothing)
    yield Figure(cards.number(counted.to_nothing), name, _("från de senaste {n} dagarna").format(n=cards.ORDER_DAYS))


def _revoked_soon(sent: Sequence[Sent]) -> str:
    soon = sum(each.days_left <= cards.SOON for each in sent)
    if not soon:
        return _("Inget kort spärras inom {days} dagar.").format(days=cards.SOON)
    text = ngettext("{n} kort spärras inom {days} dagar.", "{n} kort spärras inom {days} dagar.", soon)
    return text.format(n=cards.number(soon), days=cards.SOON)


def _weeks(sent: Sequence[Sent], cut: bool) -> Sequence[Point]:
    """Returns how many cards are revoked in each week from this one on, if they are not activated.

    The last week is that of the last card, or the one before if `cut`, since not all cards of that week were counted then.
    """
    if not sent:
        return ()
    today = clock.today()
    this = _sunday(today)
    found = Counter(_sunday(today + dt.timedelta(days=max(each.days_left, 0))) for each in sent)
    after = max(found) if cut else max(found) + dt.timedelta(weeks=1)
    return [_point(this + dt.timedelta(weeks=n), found) for n in range((after - this).days // 7)]


def _sunday(day: dt.date) -> dt.date:
    """Returns the last day of the week of `day`."""
    return day + dt.timedelta(days=7 - day.isoweekday())


def _point(sunday: dt.date, found: Counter[dt.date]) -> Point:
    week, number = sunday.isocalendar().week, found[sunday]
    name = _("Vecka {week}, till {day}").format(week=week, day=sunday.isoformat())
    return Point(_("v. {week}").format(week=week), name, number, str(number))


def _chart_title(weeks: Sequence[Point]) -> str:
    number = sum(int(week.value) for week in weeks)
    title = ngettext(
        "{n} kort spärras inom {weeks} veckor om det inte aktiveras",
        "{n} kort spärras inom {weeks} veckor om de inte aktiveras",
        number,
    )
    return title.format(n=number, weeks=len(weeks))


def _offices(sent: Sequence[Sent]) -> Iterator[Place]:
    """Yields the offices with the most cards, without cards that no office ordered."""
    by_office: dict[tuple[str, str], list[Sent]] = {}
    for each in sent:
        if each.office:
            by_office.setdefault((each.office, each.office_id), []).append(each)
    most = sorted(by_office.items(), key=lambda item: (-len(item[1]), item[0]))[:OFFICES]
    for (office, office_id), found in most:
        yield Place(
            number=str(len(found)),
            title=office,
            url=f"{reverse('day_sent')}?kontor={office_id}" if office_id else "",
            text=_revoked_soon(found),
            color="urgent" if found[0].days_left <= cards.SOON else "",
        )
