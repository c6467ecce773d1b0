"""Swedish working days: Monday to Friday without public holidays (SFS 1989:253), Midsummer Eve, Christmas Eve and New Year's Eve,
which SFS 1977:480 section 3 a treats as Sundays.

The rules have stood since 2005, when 6 June replaced Whit Monday, so no calendar data is kept.
"""

import datetime as dt

_ONE = dt.timedelta(days=1)
_FRIDAY = 4
_FIXED = {(1, 1), (1, 6), (5, 1), (6, 6), (12, 24), (12, 25), (12, 26), (12, 31)}
_AFTER_EASTER = (-2, 1, 39)
"""Days from Easter Sunday to Good Friday, Easter Monday and Ascension Day. The other holidays by Easter are Sundays."""
_MIDSUMMER_EVES = range(19, 26)
"""Midsummer Eve is the Friday among these days of June. All Saints' Day is a Saturday."""


def is_working_day(day: dt.date) -> bool:
    """True if the day is a working day in Sweden."""
    if day.weekday() > _FRIDAY or (day.month, day.day) in _FIXED:
        return False
    if day.month == 6 and day.weekday() == _FRIDAY and day.day in _MIDSUMMER_EVES:
        return False
    return (day - _easter(day.year)).days not in _AFTER_EASTER


def after(day: dt.date, count: int) -> dt.date:
    """Returns the working day that is `count` working days after `day`, which itself does not count."""
    while count > 0:
        day += _ONE
        count -= is_working_day(day)
    return day


def between(day: dt.date, later: dt.date) -> int:
    """Returns how many working days come after `day` up to `later`, which counts if it is one; 0 if it is not later."""
    return sum(is_working_day(day + _ONE * number) for number in range(1, (later - day).days + 1))


def latest(day: dt.date, count: int) -> list[dt.date]:
    """Returns the last `count` working days up to `day`, which counts if it is one, the newest last."""
    found: list[dt.date] = []
    while len(found) < count:
        if is_working_day(day):
            found.insert(0, day)
        day -= _ONE
    return found


def _easter(year: int) -> dt.date:
    """Returns Easter Sunday in the Gregorian calendar, by the algorithm of Meeus, Jones and Butcher."""
    century = year // 100
    golden = year % 19
    correction = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    epact = correction - correction // 28 * (1 - correction // 28 * (29 // (correction + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + epact + 2 - century + century // 4) % 7
    offset = epact - weekday
    month = 3 + (offset + 40) // 44
    return dt.date(year, month, offset + 28 - 31 * (month // 4))
