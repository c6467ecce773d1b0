"""Midnight, which no test that asks twice for the day should meet."""

import datetime as dt
from zoneinfo import ZoneInfo

_ZONES = (dt.UTC, ZoneInfo("Europe/Stockholm"))
_NEAR = dt.timedelta(seconds=60)


def seconds_until_past(now: dt.datetime) -> float:
    """How long it is to a midnight here or by UTC that is less than a minute away; 0 if there is none."""
    for zone in _ZONES:
        midnight = (now + _NEAR).astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
        if midnight > now:
            return (midnight - now).total_seconds()
    return 0.0
