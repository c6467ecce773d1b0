"""CSV files that a spreadsheet can open without harm: RFC 4180 quoting, and no text cell that begins a formula (S41)."""

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

SEPARATORS = (";", "\t", ",")
_ROWS_AT_A_TIME = 500
_BEGINS_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0")
_ARMED = re.compile(r"[\s']*[=+\-@\uff0b\uff0d\uff1d\uff20]")
"""Also by the wide forms of those signs, which some spreadsheets take for them.

Also behind apostrophes of its own: such a text gets one more, so that whoever takes off ours (`undone`) gets the text back."""


def cell(value: object) -> str:
    """The cell's text: numbers with decimal comma as they are, any other text disarmed by an apostrophe where it needs one."""
    if value is None:
        return ""
    if isinstance(value, bool | int):
        return str(value)
    if isinstance(value, Decimal):
        return format(value, "f").replace(".", ",")
    text = str(value)
    armed = text.startswith(_BEGINS_FORMULA) or _ARMED.match(text)
    return f"'{text}".replace("\0", "") if armed else text.replace("\0", "")


def undone(text: str) -> str:
    """The text of a cell of ours that comes back, without the apostrophe that `cell` set before it."""
    return text[1:] if text.startswith("'") and _ARMED.match(text) else text


def separator_of(first_line: str) -> str:
    """The separator of a CSV file: of those that spreadsheets write, the one that its first line has most of."""
    return max(SEPARATORS, key=first_line.count)


def build(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """The file as UTF-8 with byte order mark, semicolons and CRLF, as Swedish spreadsheets expect; the header is disarmed too."""
    return b"".join(stream(header, rows))


def stream(header: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """The bytes of `build`, some hundred rows at a time, for files longer than what should lie in memory."""
    begun = False
    for chunk in itertools.batched(itertools.chain([header], rows), _ROWS_AT_A_TIME):
        target = io.StringIO(newline="")
        writer = csv.writer(target, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\r\n")
        writer.writerows([cell(value) for value in row] for row in chunk)
        yield target.getvalue().encode("utf-8" if begun else "utf-8-sig")
        begun = True
