"""Columns that several lists of billing have."""

from typing import Any

from billing.records.domain import money
from siths_portal.lib.lists import Column, Kind


def amount_column(key: str, heading: Any, name: str, *, css: str = "", sort: str = "", extra: bool = False) -> Column[Any]:
    """Returns a column with an amount or a quantity. Exported files contain the number, not the Swedish text."""
    return Column(
        key=key,
        heading=heading,
        kind=Kind.AMOUNT,
        css=css,
        extra=extra,
        sort=sort or (),
        value=lambda row: money.swedish(getattr(row, name)),
        file_value=lambda row: getattr(row, name),
    )
