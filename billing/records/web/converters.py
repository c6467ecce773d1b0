"""Parts of the addresses of invoices. Importing this module registers them as path converters, so `urls` modules import it."""

from django.urls import register_converter
from django.urls.converters import StringConverter


class InvoiceNumber(StringConverter):
    """An invoice's number: the year and the number in that year's series."""

    regex = "[0-9]{4}-[0-9]{6,10}"


class LinePosition(StringConverter):
    """The position of a line on its invoice, from 1."""

    regex = "[1-9][0-9]{0,5}"

    def to_python(self, value: str) -> int:  # type: ignore[override]
        """Returns the position as a number."""
        return int(value)

    def to_url(self, value: int | str) -> str:
        """Returns the position as text."""
        return str(value)


register_converter(InvoiceNumber, "invoice_number")
register_converter(LinePosition, "line_position")
