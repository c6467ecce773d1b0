"""Deterministic ids and random numbers of the national-scale data. Ids rise with the rows, so that indexes grow at their end."""

from functools import lru_cache
from hashlib import blake2b

_SINCE = 1_735_689_600_000  # 2025-01-01 UTC in milliseconds; a row's number is added as the id's time (RFC 9562 section 5.7)
_VARIANT = "89ab"


def row_id(kind: str, number: int) -> str:
    """Returns the id of the row of this kind and number: a UUID version 7 with the number as its time."""
    chance = blake2b(f"{kind}:{number}".encode(), digest_size=10).hexdigest()
    time = f"{_SINCE + number:012x}"
    return f"{time[:8]}-{time[8:]}-7{chance[:3]}-{_VARIANT[int(chance[3], 16) % 4]}{chance[4:7]}-{chance[7:19]}"


@lru_cache(maxsize=20_000)
def place_id(kind: str, number: int) -> str:
    """Returns `row_id`, cached, for organisations and offices, which many rows refer to."""
    return row_id(kind, number)


class Dice:
    """Random numbers of one row, derived from its name."""

    def __init__(self, name: str) -> None:
        self._left = int.from_bytes(blake2b(name.encode(), digest_size=32).digest())

    def roll(self, sides: int) -> int:
        """Returns the next number, from 0 to `sides` - 1."""
        self._left, found = divmod(self._left, sides)
        return found
