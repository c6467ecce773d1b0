"""Cleans free text for invoices (safe in XML, one line, never interpreted), and sorts text in Swedish order."""

import re
import unicodedata

# Characters that XML 1.0 forbids, control characters, and direction marks, which could disguise an amount.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]"
)
_AFTER_Z = str.maketrans({"å": "{", "ä": "|", "æ": "|", "ö": "}", "ø": "}"})


def one_line(text: str) -> str:
    """Returns `text` as one line, without characters that are invalid in XML or not printable. All others are kept."""
    return " ".join(_UNPRINTABLE.sub("", text).split())


def swedish_key(text: str) -> str:
    """Returns a sort key: case is ignored, å ä ö come last in that order, and other accents are ignored."""
    folded = unicodedata.normalize("NFC", text).casefold().translate(_AFTER_Z)
    return "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
