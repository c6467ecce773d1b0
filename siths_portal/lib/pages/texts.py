"""Text as people type and paste it: what no eye sees of it does not count."""

import unicodedata

_UNSEEN = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufeff"))
"""Soft hyphen, zero width space, marks of direction, word joiner and byte order mark: pages and word processors leave them in
what is copied. Whatever overrides the direction of text stays, and is refused where text must be printable."""


def composed(text: str) -> str:
    """`text` composed (NFC), without characters that nobody sees; each tab and each space of another width is a space."""
    text = unicodedata.normalize("NFC", text).translate(_UNSEEN)
    return "".join(" " if each == "\t" or unicodedata.category(each) == "Zs" else each for each in text)
