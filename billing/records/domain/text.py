"""Cleans free text for invoices (safe in XML, one line, never interpreted)."""

import re

# Characters that XML 1.0 forbids, control characters, and direction marks, which could disguise an amount.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]"
)


def one_line(text: str) -> str:
    """Returns `text` as one line, without characters that are invalid in XML or not printable. All others are kept."""
    return " ".join(_UNPRINTABLE.sub("", text).split())
