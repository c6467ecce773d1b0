"""Normalisation of typed and pasted text: removes invisible characters."""

import unicodedata

_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200e\u200f\u2060\ufeff"))
"""Soft hyphen, zero width space, direction marks, word joiner and byte order mark, which copied text often contains. Characters
that override the text direction are kept, so that the check for printable text refuses them."""


def composed(text: str) -> str:
    """Returns `text` in NFC, without invisible characters, and with a space for each tab and other kind of space."""
    text = unicodedata.normalize("NFC", text).translate(_INVISIBLE)
    return "".join(" " if each == "\t" or unicodedata.category(each) == "Zs" else each for each in text)
