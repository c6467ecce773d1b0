"""The last minute of a day is known, here and by UTC."""

import datetime as dt

import pytest

from tests.midnight import seconds_until_past


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("2026-11-26T22:59:00.5", 59.5),  # a minute before Swedish midnight in winter
        ("2026-07-26T21:59:59.75", 0.25),  # in summer
        ("2026-11-26T23:59:30", 30),
        ("2026-11-26T22:58:59", 0),
        ("2026-11-26T23:00:00", 0),
        ("2026-11-26T00:00:00", 0),
        ("2026-11-26T12:00:00", 0),
        ("2026-03-29T00:59:30", 0),  # the hour that is left out in spring begins at two here
    ],
)
def test_how_long_it_is_to_a_near_midnight(moment: str, seconds: float) -> None:
    assert seconds_until_past(dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC)) == seconds
