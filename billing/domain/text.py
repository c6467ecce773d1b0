"""Texts that others wrote and invoices carry: made safe for XML and one line, never interpreted; and Swedish order."""

import re
import unicodedata

# What XML 1.0 cannot hold, controls, and marks that turn the writing direction and so could disguise an amount.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u200e\u200f\u061c\u202a-\u202e\u2066-\u2069]"
)
_AFTER_Z = str.maketrans({"å": "{", "ä": "|", "æ": "|", "ö": "}", "ø": "}"})


def one_line(text: str) -> str:
    """`text` as one line without characters that XML or a printed line cannot hold. Everything else stays literal."""
    return " ".join(_UNPRINTABLE.sub("", text).split())


def swedish_key(text: str) -> str:
    """A sort key: case is ignored, å ä ö come last in that order, other accents count as their letter."""
    folded = unicodedata.normalize("NFC", text).casefold().translate(_AFTER_Z)
    return "".join(c for c in unicodedata.normalize("NFKD", folded) if not unicodedata.combining(c))
