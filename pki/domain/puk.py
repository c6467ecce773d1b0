"""The format of a card's PUK inside its JWE: only the digits, as typed on a card reader's keypad."""

import re

MIN_DIGITS, MAX_DIGITS = 8, 16

_PUK = re.compile(rb"[0-9]{%d,%d}" % (MIN_DIGITS, MAX_DIGITS))


def is_puk(plaintext: bytes) -> bool:
    """Returns True for 8 to 16 ASCII digits without spaces, line end, quotes or byte order mark."""
    return _PUK.fullmatch(plaintext) is not None
