"""The check that the card in the hand is the card of the page."""

import re
from enum import StrEnum

_SERIAL, _END = 19, 4
_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z](?=[0-9])")
"""What some scanners put before the number (ISO/IEC 15424). It has a digit of its own."""


class CardAnswer(StrEnum):
    """The result of a check. UNREADABLE means that the text is neither a serial number nor the end of one."""

    RIGHT = "right"
    WRONG = "wrong"
    UNREADABLE = "unreadable"


def check(text: str, serial: str) -> CardAnswer:
    """Compares a scanned serial number, or its last four digits, with the card's `serial`.

    Prefixes and control characters of scanners, and separators, do not matter (rules/issuance 2.1).
    """
    digits = re.sub(r"\W", "", _SYMBOLOGY.sub("", text))
    if not re.fullmatch(r"[0-9]+", digits) or len(digits) not in (_END, _SERIAL):
        return CardAnswer.UNREADABLE
    return CardAnswer.RIGHT if serial.endswith(digits) else CardAnswer.WRONG
