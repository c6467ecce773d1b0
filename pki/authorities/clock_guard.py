"""The clock guard: nothing is signed if the clock has gone back, because relying parties would rely on its time (rules/pki 8.1).

One database row holds the latest second for which something was signed, so every process knows it and it survives restarts. Code
that signs calls `check` for the time. A clock that is more than five seconds behind the row is refused until it has caught up. A
clock that is far ahead of the database server's is logged but not stored, so that it does no lasting harm.
"""

import contextlib
import ctypes
import datetime as dt
from dataclasses import dataclass

import structlog
from django.conf import settings
from django.db import DatabaseError, connection

from siths_portal.lib import clock
from siths_portal.lib.errors import Unavailable

log = structlog.get_logger(__name__)

TOLERANCE = dt.timedelta(seconds=5)
_TIMEX, _TIME_ERROR = 256, 5  # more octets than struct timex has; adjtimex's state of a clock without synchronisation


class ClockWentBack(RuntimeError):
    """The clock is more than five seconds before the latest signing time; nothing was signed."""


@dataclass(frozen=True)
class ClockReading:
    """The clock, with the latest second that was signed for and the database server's clock to compare."""

    now: dt.datetime
    produced_at: dt.datetime | None
    database: dt.datetime

    @property
    def went_back(self) -> bool:
        """Whether signing is refused."""
        return self.produced_at is not None and self.now < self.produced_at - TOLERANCE

    @property
    def behind(self) -> dt.timedelta:
        """How much time the clock has to catch up before signing continues."""
        if self.produced_at is None or not self.went_back:
            return dt.timedelta()
        return self.produced_at - TOLERANCE - self.now

    @property
    def ahead(self) -> dt.timedelta:
        """How far the clock is ahead of the database server's; negative if it is behind."""
        return self.now - self.database

    @property
    def is_far_ahead(self) -> bool:
        """Whether the clock is so far ahead that it must be wrong."""
        return self.ahead > dt.timedelta(seconds=settings.PKI_CLOCK_AHEAD_SECONDS)


_checked: dt.datetime | None = None  # the second that this process compared last; a single value, so no lock is needed


def check() -> dt.datetime:
    """Returns the current time to sign with, and stores it as the latest signing time. Raises ClockWentBack.

    Queries the database once a second per process. Call it outside transactions: all processes update the same row.
    """
    global _checked
    now = clock.now()
    second = now.replace(microsecond=0)
    if second != _checked:
        _judge(_remember(now, second))
        _checked = second
    return now


def require() -> dt.datetime:
    """Returns the current time for data that others will sign. Joins the caller's transaction and stores nothing.

    Raises Unavailable where `check` raises ClockWentBack.
    """
    reading = look()
    try:
        _judge(reading)
    except ClockWentBack:
        raise Unavailable("clock-went-back", "Klockan i tjänsten går fel. Försök igen senare.") from None
    return reading.now


def look() -> ClockReading:
    """Returns the clock and the times that it is compared with, for `pki_check`."""
    now = clock.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT produced_at FROM pki_clockmark), clock_timestamp()")
        produced_at, database = cursor.fetchone()  # type: ignore[misc]
    return ClockReading(now, produced_at, database)


def _remember(now: dt.datetime, second: dt.datetime) -> ClockReading:
    with connection.cursor() as cursor:
        cursor.execute(_MARK, {"second": second, "limit": settings.PKI_CLOCK_AHEAD_SECONDS})
        produced_at, database = cursor.fetchone()  # type: ignore[misc]
    return ClockReading(now, produced_at, database)


# A time that is too far ahead does not change the row.
_MARK = """
INSERT INTO pki_clockmark AS mark (id, produced_at)
VALUES (1, CASE WHEN %(second)s <= clock_timestamp() + make_interval(secs => %(limit)s) THEN %(second)s ELSE 'epoch' END)
ON CONFLICT (id) DO UPDATE SET produced_at = GREATEST(mark.produced_at, EXCLUDED.produced_at)
RETURNING produced_at, clock_timestamp()
"""


def _judge(reading: ClockReading) -> None:
    if reading.is_far_ahead:
        log.error("clock.far_ahead", seconds=int(reading.ahead.total_seconds()))
    if reading.went_back:
        log.error("clock.went_back", seconds_to_wait=int(reading.behind.total_seconds()) + 1)
        raise ClockWentBack(f"the clock has {reading.behind} to catch up")


def tell() -> None:
    """Logs what is wrong with the clock when a worker starts. Does not stop it: `check` lets work continue or wait."""
    with contextlib.suppress(ClockWentBack, DatabaseError):
        _judge(look())


def synchronised() -> bool | None:
    """Whether a time service keeps the kernel's clock (adjtimex); None if the system does not tell."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
