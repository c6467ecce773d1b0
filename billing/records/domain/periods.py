"""The billing period: a calendar month in Stockholm, stored as its first day."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Self

from siths_portal.lib import clock

MONTH_NAMES = (
    "januari", "februari", "mars", "april", "maj", "juni", "juli", "augusti", "september", "oktober", "november", "december",
)  # fmt: skip


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month. `str()` is the Swedish name that invoices print, for instance `april 2023`."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses YYYY-MM. Raises ValueError for any other form and for years outside 2000 to 9998."""
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}", text):
            raise ValueError(text)
        year, month = int(text[:4]), int(text[5:])
        if not (2000 <= year <= 9998 and 1 <= month <= 12):
            raise ValueError(text)
        return cls(year, month)

    @classmethod
    def of_day(cls, day: dt.date) -> Self:
        """Returns the month of `day`."""
        return cls(day.year, day.month)

    @classmethod
    def of(cls, moment: dt.datetime) -> Self:
        """Returns the month of `moment` in Stockholm. The moment may have any time zone."""
        return cls.of_day(moment.astimezone(clock.STOCKHOLM).date())

    @property
    def first_day(self) -> dt.date:
        """The first day of the month: the stored form."""
        return dt.date(self.year, self.month, 1)

    @property
    def last_day(self) -> dt.date:
        """The last day of the month."""
        return self.following().first_day - dt.timedelta(days=1)

    @property
    def start(self) -> dt.datetime:
        """00:00 in Stockholm of the first day, as UTC."""
        return clock.start_of_day(self.first_day)

    @property
    def end(self) -> dt.datetime:
        """T: 00:00 in Stockholm on the next month's first day, as UTC. The month does not include it."""
        return clock.start_of_day(self.following().first_day)

    def following(self) -> "Month":
        """The next month."""
        return Month(self.year + self.month // 12, self.month % 12 + 1)

    def previous(self) -> "Month":
        """The month before."""
        return Month.of_day(self.first_day - dt.timedelta(days=1))

    def is_over(self, moment: dt.datetime) -> bool:
        """True from T on."""
        return moment >= self.end

    def code(self) -> str:
        """The month as YYYY-MM."""
        return f"{self.year:04d}-{self.month:02d}"

    def __str__(self) -> str:
        return f"{MONTH_NAMES[self.month - 1]} {self.year}"
