"""Swedish working days, against the calendar of some years."""

import datetime as dt

import pytest

from siths_portal.lib import workdays


def days_off(year: int) -> list[str]:
    """The Mondays to Fridays of a year that are no working days, as month and day."""
    first = dt.date(year, 1, 1)
    days = [first + dt.timedelta(number) for number in range(366)]
    return [f"{day:%m%d}" for day in days if day.year == year and day.weekday() < 5 and not workdays.is_working_day(day)]


def test_holidays_and_the_three_eves_are_no_working_days() -> None:
    assert days_off(2024) == ["0101", "0329", "0401", "0501", "0509", "0606", "0621", "1224", "1225", "1226", "1231"]
    assert days_off(2026) == ["0101", "0106", "0403", "0406", "0501", "0514", "0619", "1224", "1225", "1231"]


@pytest.mark.parametrize(
    ("year", "easter_monday"), [(2008, "0324"), (2011, "0425"), (2019, "0422"), (2035, "0326"), (2038, "0426"), (2285, "0323")]
)
def test_easter_moves(year: int, easter_monday: str) -> None:
    assert easter_monday in days_off(year)


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        ("2026-11-30", 5, "2026-12-07"),
        ("2026-12-22", 5, "2027-01-04"),
        ("2024-03-28", 1, "2024-04-02"),
        ("2026-11-28", 1, "2026-11-30"),
        ("2026-11-30", 0, "2026-11-30"),
    ],
)
def test_the_day_itself_does_not_count(day: str, count: int, expected: str) -> None:
    assert workdays.after(dt.date.fromisoformat(day), count) == dt.date.fromisoformat(expected)
    assert workdays.between(dt.date.fromisoformat(day), dt.date.fromisoformat(expected)) == count


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-12-01", ["2026-11-27", "2026-11-30", "2026-12-01"]),
        ("2026-12-27", ["2026-12-21", "2026-12-22", "2026-12-23"]),
    ],
)
def test_the_latest_days_end_with_the_day_itself_if_it_counts(day: str, expected: list[str]) -> None:
    assert [str(each) for each in workdays.latest(dt.date.fromisoformat(day), 3)] == expected
