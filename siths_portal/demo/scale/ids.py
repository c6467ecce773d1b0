"""Ids and chances of the large demo: the same everywhere, and in the order of the rows, so that indexes grow at their end."""

from functools import lru_cache
from hashlib import blake2b

_SINCE = 1_735_689_600_000  # milliseconds of 2025-01-01 UTC, from which rows are counted as time (RFC 9562 section 5.7)
_VARIANT = "89ab"


def row_id(kind: str, number: int) -> str:
    """The id of the row of this kind and number: a UUID version 7 whose time is the number."""
    chance = blake2b(f"{kind}:{number}".encode(), digest_size=10).hexdigest()
    time = f"{_SINCE + number:012x}"
    return f"{time[:8]}-{time[8:]}-7{chance[:3]}-{_VARIANT[int(chance[3], 16) % 4]}{chance[4:7]}-{chance[7:19]}"


@lru_cache(maxsize=20_000)
def place_id(kind: str, number: int) -> str:
    """`row_id` of a place, which many rows name."""
    return row_id(kind, number)


class Dice:
    """Chances of one row, drawn from its name alone."""

    def __init__(self, name: str) -> None:
        self._left = int.from_bytes(blake2b(name.encode(), digest_size=32).digest())

    def roll(self, sides: int) -> int:
        """The next number, from 0 and below `sides`."""
        self._left, found = divmod(self._left, sides)
        return found
