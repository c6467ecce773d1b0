"""Days of the calendar in Stockholm, as SQL."""


def day_of(moment: str) -> str:
    """Returns the SQL of the day in Stockholm in which `moment`, an SQL expression of a time, is."""
    return f"(({moment}) AT TIME ZONE 'Europe/Stockholm')::date"


def last_day_of(end: str) -> str:
    """Returns the SQL of the last day before `end`, an SQL expression of a time that is itself outside."""
    return day_of(f"{end} - interval '1 microsecond'")
