"""The clock: the only source of the present time, so that tests can set it. Stored times are UTC, days are in Stockholm."""

import contextlib
import datetime as dt
import time
from collections.abc import Iterator
from contextvars import ContextVar
from zoneinfo import ZoneInfo

STOCKHOLM = ZoneInfo("Europe/Stockholm")

_moved: ContextVar[dt.datetime | None] = ContextVar("moved_clock", default=None)


def now() -> dt.datetime:
    """Returns the present time as an aware UTC datetime, or the time that `moved_to` set in this context."""
    return _moved.get() or dt.datetime.now(dt.UTC)


def timestamp() -> float:
    """Returns the same as seconds since 1970. It is cheaper than `now`, for code that runs in every request."""
    moved = _moved.get()
    return time.time() if moved is None else moved.timestamp()


def today() -> dt.date:
    """Today's date in Stockholm."""
    return now().astimezone(STOCKHOLM).date()


@contextlib.contextmanager
def moved_to(moment: dt.datetime) -> Iterator[None]:
    """Stops the clock at `moment` inside the block, for this thread or task only. Raises ValueError if `moment` is naive."""
    if moment.tzinfo is None:
        raise ValueError("the clock needs an aware datetime")
    token = _moved.set(moment.astimezone(dt.UTC))
    try:
        yield
    finally:
        _moved.reset(token)


def start_of_day(day: dt.date) -> dt.datetime:
    """Returns 00:00 of `day` in Stockholm, as UTC. For `date.min` returns `datetime.min`, the earliest time."""
    if day == dt.date.min:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    return dt.datetime.combine(day, dt.time(), STOCKHOLM).astimezone(dt.UTC)


def end_of_day(day: dt.date) -> dt.datetime | None:
    """Returns the end of `day` in Stockholm, as UTC, or None for 9999-12-31, which users and the HSA directory use for no end."""
    return start_of_day(day + dt.timedelta(days=1)) if day < dt.date.max else None
