"""CSV files that are safe to open in a spreadsheet: RFC 4180 quoting, and no text cell that is read as a formula (S41)."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

SEPARATORS = (";", "\t", ",")
_ROWS_AT_A_TIME = 500
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
_FORMULA = re.compile(r"[\s']*[=+\-@\uff0b\uff0d\uff1d\uff20]")
"""Includes the full-width forms of these signs, which some spreadsheets accept.

Also matches after apostrophes in the text itself. Such a text gets one more, so that `undone` returns the original text."""


def cell(value: object) -> str:
    """Returns the cell's text: numbers with decimal comma, and other text with a leading apostrophe if it could be a formula."""
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f").replace(".", ",")
    text = str(value)
    is_formula = text.startswith(_BEGINS_FORMULA) or _FORMULA.match(text)
    return f"'{text}".replace("\0", "") if is_formula else text.replace("\0", "")


def undone(text: str) -> str:
    """Returns the text of a cell without the apostrophe that `cell` added, for files that users send back."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def separator_of(first_line: str) -> str:
    """The separator of a CSV file: of those that spreadsheets write, the one that its first line has most of."""
    return max(SEPARATORS, key=first_line.count)


def build(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """Returns the file in UTF-8 with byte order mark, semicolons and CRLF, as Swedish spreadsheets expect. Uses `cell`."""
    return b"".join(stream(header, rows))


def stream(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """Yields the bytes of `build` in chunks of rows, for files that are too long for memory."""
    begun = False
    for chunk in itertools.batched(itertools.chain([header], rows), _ROWS_AT_A_TIME):
        target = io.StringIO(newline="")
        writer = csv.writer(target, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerows([cell(value) for value in row] for row in chunk)
        yield target.getvalue().encode("utf-8" if begun else "utf-8-sig")
        begun = True
