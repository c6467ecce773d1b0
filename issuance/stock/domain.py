"""States of a reserve card in the stock of an office, and the serial numbers that a clerk scans (rules/issuance 3.13)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

LONGEST_LIST = 2000
"""The most serial numbers that one act takes, as many as a bundle has."""

_SERIAL = re.compile(r"\d{19}", re.ASCII)
_SEPARATORS = re.compile(r"[\s.-]+")


class StockState(StrEnum):
    """The state of a reserve card in stock. A MISSING card was not found where it should be. HANDED_OUT means that the card
    was bound to a holder, ENDED that it was revoked outside of the stock's pages. All but the first two are final.
    """

    IN_STOCK = "in_stock"
    MISSING = "missing"
    HANDED_OUT = "handed_out"
    DAMAGED = "damaged"
    LOST = "lost"
    ENDED = "ended"


class StockAction(StrEnum):
    """The actions on a reserve card in stock."""

    MISS = "missing"
    FIND = "found"
    HAND_OUT = "handed_out"
    DAMAGE = "damaged"
    LOSE = "lost"
    END = "ended"


_S, _A = StockState, StockAction
TRANSITIONS: Mapping[tuple[StockState, StockAction], StockState] = {
    (_S.IN_STOCK, _A.MISS): _S.MISSING,
    (_S.MISSING, _A.FIND): _S.IN_STOCK,
    (_S.IN_STOCK, _A.HAND_OUT): _S.HANDED_OUT,
    (_S.IN_STOCK, _A.DAMAGE): _S.DAMAGED,
    (_S.IN_STOCK, _A.LOSE): _S.LOST,
    (_S.MISSING, _A.LOSE): _S.LOST,
    (_S.IN_STOCK, _A.END): _S.ENDED,
    (_S.MISSING, _A.END): _S.ENDED,
}

FOLLOWING = (StockAction.HAND_OUT, StockAction.END)
"""Actions that follow from an act elsewhere: the card was bound to a holder, or revoked."""

HELD = [StockState.IN_STOCK.value, StockState.MISSING.value]
"""States of cards that are not written off."""


class LostPart(StrEnum):
    """The part of a bundle that is lost: what never came to its office, everything that is not handed out, or scanned cards."""

    NOT_ARRIVED = "inte-mottagna"
    EVERYTHING = "alla"
    SCANNED = "skannade"


def actions_in(state: str) -> list[StockAction]:
    """Returns the actions that a clerk may choose for a card in this state, in the order of declaration."""
    return [action for before, action in TRANSITIONS if before == state and action not in FOLLOWING]


@dataclass(frozen=True)
class Scanned:
    """Serial numbers as they were scanned, one a line. `wrong` has the numbers of the lines that are no serial number."""

    lines: Mapping[str, int]
    wrong: tuple[int, ...]

    @property
    def serials(self) -> list[str]:
        """The different serial numbers, in the order of scanning."""
        return list(self.lines)


def scanned(text: str) -> Scanned:
    """Reads serial numbers of 19 digits, one a line, with or without spaces. A number that is repeated counts once."""
    lines: dict[str, int] = {}
    wrong = []
    for number, line in enumerate(text.splitlines(), start=1):
        serial = _SEPARATORS.sub("", line)
        if _SERIAL.fullmatch(serial):
            lines.setdefault(serial, number)
        elif serial:
            wrong.append(number)
    return Scanned(lines, tuple(wrong))
