"""Days and times in running text. Tables, files and facts have them as 2026-11-25 (docs/design.md, *Texts*)."""

import datetime as dt

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from siths_portal.lib import clock


def weekday_in_words(day: dt.date) -> str:
    """Returns a day as "fredag 11 december", with its year unless that is this year."""
    return f"{date_format(day, 'l')} {in_words(day)}"


def in_words(value: dt.date | dt.datetime | None) -> str:
    """Returns a day as "25 november", with its year unless that is this year, and a moment with its time in Stockholm.

    Returns an empty text for None.
    """
    if value is None:
        return ""
    moment = timezone.localtime(value, clock.STOCKHOLM) if isinstance(value, dt.datetime) else None
    day = moment or value
    words = date_format(day, "j F" if day.year == clock.today().year else "j F Y")
    return _("{day} kl. {time}").format(day=words, time=f"{moment:%H:%M}") if moment else words
