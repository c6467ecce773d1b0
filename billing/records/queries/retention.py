"""Until when the database keeps what is booked."""

import datetime as dt

from django.db import connection


def retention_until(booked_on: dt.date) -> dt.date:
    """Returns the last day on which the database refuses to delete what was booked on that day."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT billing_retention_until(%s)", [booked_on])
        found: tuple[dt.date] = cursor.fetchone()
    return found[0]
