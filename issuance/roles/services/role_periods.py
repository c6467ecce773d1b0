"""The period of a role: from one day to another, both included, in Stockholm (rules/issuance 1.3)."""

import datetime as dt
from dataclasses import dataclass

from issuance.roles.models.grants import RoleGrant
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid


@dataclass(frozen=True)
class Period:
    """The first and last day of a role in Stockholm, both included.

    None means from now on, or without an end. The last day 9999-12-31 also means without an end.
    """

    first: dt.date | None = None
    last: dt.date | None = None


ALWAYS = Period()


def overlap(one: RoleGrant, other: RoleGrant) -> bool:
    """True if the periods of both roles overlap."""
    return (other.valid_to is None or one.valid_from < other.valid_to) and (
        one.valid_to is None or other.valid_from < one.valid_to
    )


def is_over(grant: RoleGrant) -> bool:
    """True if the role has ended."""
    return grant.valid_to is not None and grant.valid_to <= clock.now()


def moments(period: Period) -> tuple[dt.datetime, dt.datetime | None]:
    """Returns the begin and end of a period. Raises Invalid if it begins before today or ends before it begins."""
    now, today = clock.now(), clock.today()
    if period.first is not None and period.first < today:
        message = "Rollen kan inte börja gälla före i dag."
        raise Invalid("role-period", message, fields={"valid_from": [message]})
    begin = clock.start_of_day(period.first) if period.first is not None and period.first > today else now
    end = end_of(period.last)
    if end is not None and end <= begin:
        raise wrong_last_day()
    return begin, end


def end_of(day: dt.date | None) -> dt.datetime | None:
    """Returns the moment after a last day; None for no end."""
    return clock.end_of_day(day) if day is not None else None


def wrong_last_day() -> Invalid:
    """Returns the error for a last day that has passed or precedes the first day."""
    message = "Ange en sista dag som inte har passerat och som inte ligger före den första."
    return Invalid("role-period", message, fields={"valid_to": [message]})


def last_day_of(grant: RoleGrant) -> dt.date | None:
    """Returns the last day in Stockholm on which the role holds, if only in part; None without one."""
    return last_day(grant.valid_to)


def last_day(end: dt.datetime | str | None) -> dt.date | None:
    """Returns the last day before a moment from a row or an event."""
    if end is None:
        return None
    moment = dt.datetime.fromisoformat(end) if isinstance(end, str) else end
    return (moment - dt.timedelta(microseconds=1)).astimezone(clock.STOCKHOLM).date()
