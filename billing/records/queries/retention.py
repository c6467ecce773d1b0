"""Until when the database keeps what is booked."""

from django.db.models import DateField, F, Func


def retention_until(booked_on: str) -> Func:
    """Returns an expression: the last day on which the database refuses to delete what was booked on the day in this field."""
    return Func(F(booked_on), function="billing_retention_until", output_field=DateField())
