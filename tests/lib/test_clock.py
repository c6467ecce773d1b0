"""The clock: days are days in Stockholm, over both changes of summer time."""

import datetime as dt

import pytest

from siths_portal.lib import clock


@pytest.mark.parametrize(
    ("moment", "days", "expected"),
    [
        ("2026-01-10T12:00:00+00:00", 90, "2026-04-10T22:00:00+00:00"),  # into summer time
        ("2026-09-01T12:00:00+00:00", 90, "2026-11-30T23:00:00+00:00"),  # out of it
        (
            "2026-03-28T23:30:00+00:00",
            0,
            "2026-03-29T22:00:00+00:00",
        ),  # already the 29th in Stockholm, a day of 23 hours
    ],
)
def test_end_of_day_after_counts_calendar_days(moment: str, days: int, expected: str) -> None:
    assert clock.end_of_day_after(dt.datetime.fromisoformat(moment), days) == dt.datetime.fromisoformat(expected)


def test_month_bounds_are_half_open_local_midnights() -> None:
    assert clock.month_bounds(2026, 3) == (
        dt.datetime(2026, 2, 28, 23, tzinfo=dt.UTC),
        dt.datetime(2026, 3, 31, 22, tzinfo=dt.UTC),
    )
    assert clock.month_bounds(2026, 12)[1] == dt.datetime(2026, 12, 31, 23, tzinfo=dt.UTC)


def test_moved_clock_stands_still_and_is_put_back() -> None:
    moment = dt.datetime(2026, 10, 15, 9, tzinfo=dt.UTC)
    with clock.moved_to(moment):
        assert clock.now() == moment
    assert clock.now() > moment
    with pytest.raises(ValueError, match="aware"), clock.moved_to(dt.datetime(2026, 1, 1)):  # noqa: DTZ001
        pass
