"""Validation of JSON replies. A malformed reply is refused as a whole, and error texts never contain its content."""

from collections.abc import Callable
from typing import Any

from siths_portal.lib.errors import Unavailable


def text(value: object, limit: int = 100) -> str:
    """Returns `value` stripped, if it is text of at most `limit` characters without control characters.

    Raises TypeError, ValueError.
    """
    if not isinstance(value, str):
        raise TypeError("not text")
    if len(value) > limit:
        raise ValueError("too long")
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("control character")
    return value.strip()


def truth(value: object) -> bool:
    """Returns `value` if it is a boolean. Raises TypeError, so a missing protection flag never counts as false."""
    if not isinstance(value, bool):
        raise TypeError("not a boolean")
    return value


def listed(value: object) -> list[Any]:
    """Returns `value` if it is a list. Raises TypeError."""
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


def checked[T](read: Callable[[], T]) -> T:
    """Returns the result of `read`. Raises Unavailable if the reply does not follow the wire format."""
    try:
        return read()
    except (KeyError, TypeError, ValueError, AttributeError, IndexError):
        message = "Ett anslutet system svarar inte som det ska. Inget har ändrats. Försök igen om en stund."
        raise Unavailable("upstream-bad-reply", message) from None
