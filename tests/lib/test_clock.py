"""The clock: days are days in Stockholm, over both changes of summer time."""

import datetime as dt

import pytest

from siths_portal.lib import clock


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-01-10", "2026-01-09T23:00:00+00:00"),
        ("2026-03-29", "2026-03-28T23:00:00+00:00"),  # summer time begins during the day
        ("2026-03-30", "2026-03-29T22:00:00+00:00"),
        ("2026-10-25", "2026-10-24T22:00:00+00:00"),  # and ends
        ("2026-10-26", "2026-10-25T23:00:00+00:00"),
        ("2028-02-29", "2028-02-28T23:00:00+00:00"),
        ("2027-01-01", "2026-12-31T23:00:00+00:00"),
    ],
)
def test_a_day_begins_at_midnight_in_stockholm(day: str, expected: str) -> None:
    start = clock.start_of_day(dt.date.fromisoformat(day))
    assert (start, start.tzinfo) == (dt.datetime.fromisoformat(expected), dt.UTC)


def test_the_calendar_has_a_first_and_a_last_day() -> None:
    assert clock.start_of_day(dt.date.min) == dt.datetime(1, 1, 1, tzinfo=dt.UTC)
    assert clock.end_of_day(dt.date.max) is None
    assert clock.end_of_day(dt.date(9999, 12, 30)) == clock.start_of_day(dt.date.max)


def test_moved_clock_stands_still_and_is_put_back() -> None:
    moment = dt.datetime(2026, 10, 15, 9, tzinfo=dt.UTC)
    with clock.moved_to(moment):
        assert clock.now() == moment
    assert clock.now() > moment
    with pytest.raises(ValueError, match="aware"), clock.moved_to(dt.datetime(2026, 1, 1)):  # noqa: DTZ001
        pass
