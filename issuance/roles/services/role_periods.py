"""When a role of a person holds: from one day to another, both included, in Stockholm's time (rules/issuance 1.3)."""

import datetime as dt
from dataclasses import dataclass

from issuance.roles.models.grants import RoleGrant
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid


@dataclass(frozen=True)
class Period:
    """The days in Stockholm on which a role holds, both included; from now on without a first one, for good without a last or
    with 9999-12-31, which is written for it."""

    first: dt.date | None = None
    last: dt.date | None = None


ALWAYS = Period()


def overlap(one: RoleGrant, other: RoleGrant) -> bool:
    """True if both hold at some moment."""
    return (other.valid_to is None or one.valid_from < other.valid_to) and (
        one.valid_to is None or other.valid_from < one.valid_to
    )


def is_over(grant: RoleGrant) -> bool:
    """Returns whether the role has ended."""
    return grant.valid_to is not None and grant.valid_to <= clock.now()


def moments(period: Period) -> tuple[dt.datetime, dt.datetime | None]:
    """When a period begins and ends. Raises Invalid for one that lies in the past or the wrong way round."""
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
    """The moment after a last day; None for no end."""
    return clock.end_of_day(day) if day is not None else None


def wrong_last_day() -> Invalid:
    """The error for a last day that has passed or precedes the first one."""
    message = "Ange en sista dag som inte har passerat och som inte ligger före den första."
    return Invalid("role-period", message, fields={"valid_to": [message]})


def last_day_of(grant: RoleGrant) -> dt.date | None:
    """The last day, in Stockholm, on which the role holds for a part at least; None without one."""
    return last_day(grant.valid_to)


def last_day(end: dt.datetime | str | None) -> dt.date | None:
    """The last day before a moment, as a row or an event holds it."""
    if end is None:
        return None
    moment = dt.datetime.fromisoformat(end) if isinstance(end, str) else end
    return (moment - dt.timedelta(microseconds=1)).astimezone(clock.STOCKHOLM).date()
