"""The clock guard: nothing is signed by a clock that has gone back, since relying parties would follow it (rules/pki 8.1).

The latest second that anything was signed for lies in the database, in one row, so it is known to every process and survives
restarts. Signing asks `check` for the time. A clock that shows more than five seconds less is refused until it has caught up;
one that is far ahead of the database server's is told in the log, and not remembered, so that it does no lasting harm.
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
_TIMEX, _TIME_ERROR = 256, 5  # more octets than struct timex has; the state of a clock that nobody keeps


class ClockWentBack(RuntimeError):
    """The clock shows a time more than five seconds before what was signed last; nothing was signed."""


@dataclass(frozen=True)
class ClockReading:
    """The clock beside what it is compared with: the latest second that was signed for, and the database server's clock."""

    now: dt.datetime
    produced_at: dt.datetime | None
    database: dt.datetime

    @property
    def went_back(self) -> bool:
        """Whether signing is refused."""
        return self.produced_at is not None and self.now < self.produced_at - TOLERANCE

    @property
    def behind(self) -> dt.timedelta:
        """How much time the clock has to catch up before signing goes on."""
        if self.produced_at is None or not self.went_back:
            return dt.timedelta()
        return self.produced_at - TOLERANCE - self.now

    @property
    def ahead(self) -> dt.timedelta:
        """How far the clock is before the database server's; negative if it is behind."""
        return self.now - self.database

    @property
    def is_far_ahead(self) -> bool:
        """Whether the clock is so far ahead that it must be wrong."""
        return self.ahead > dt.timedelta(seconds=settings.PKI_CLOCK_AHEAD_SECONDS)


_checked: dt.datetime | None = None  # the second that this process compared last; read and written whole


def check() -> dt.datetime:
    """The present moment, for what is signed now, and remembered as such. Raises ClockWentBack.

    Asks the database once a second and process. Call it outside of transactions: the row is everybody's.
    """
    global _checked
    now = clock.now()
    second = now.replace(microsecond=0)
    if second != _checked:
        _judge(_remember(now, second))
        _checked = second
    return now


def require() -> dt.datetime:
    """The present moment, for what others will sign. Joins the caller's transaction and remembers nothing.

    Raises Unavailable where `check` raises ClockWentBack.
    """
    reading = look()
    try:
        _judge(reading)
    except ClockWentBack:
        raise Unavailable("clock-went-back", "Klockan i tjänsten går fel. Försök igen senare.") from None
    return reading.now


def look() -> ClockReading:
    """The clock and what it is compared with, for `pki_check`."""
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


# A time that is too far ahead leaves the mark as it is.
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
    """At a worker's start: logs what is wrong with the clock. Work goes on or waits by itself, so nothing is stopped."""
    with contextlib.suppress(ClockWentBack, DatabaseError):
        _judge(look())


def synchronised() -> bool | None:
    """Whether the kernel's clock is kept by a time service (adjtimex); None where the system does not tell."""
    try:
        state = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX))
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
