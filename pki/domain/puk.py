"""The form of a card's PUK inside its JWE: the digits themselves, as a card's keypad gives them, and nothing else."""

import re

MIN_DIGITS, MAX_DIGITS = 8, 16

_PUK = re.compile(rb"[0-9]{%d,%d}" % (MIN_DIGITS, MAX_DIGITS))


def is_puk(plaintext: bytes) -> bool:
    """True for 8 to 16 ASCII digits without spaces, line end, quotes or a character set's mark."""
    return _PUK.fullmatch(plaintext) is not None
