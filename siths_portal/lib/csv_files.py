"""CSV files that a spreadsheet can open without harm: RFC 4180 quoting, and no text cell that begins a formula (S41)."""

import csv
import io
from collections.abc import Iterable, Sequence
from decimal import Decimal

_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")


def cell(value: object) -> str:
    """The cell's text: numbers with decimal comma as they are, any other text disarmed by an apostrophe where it needs one."""
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f").replace(".", ",")
    text = str(value)
    armed = text.startswith(_BEGINS_FORMULA) or text.lstrip().startswith(_BEGINS_FORMULA[:4])
    return f"'{text}".replace("\0", "") if armed else text.replace("\0", "")


def build(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The file as UTF-8 with byte order mark, semicolons and CRLF, as Swedish spreadsheets expect; the header is disarmed too."""
    target = io.StringIO(newline="")
    writer = csv.writer(target, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow([cell(name) for name in header])
    writer.writerows([cell(value) for value in row] for row in rows)
    return target.getvalue().encode("utf-8-sig")
