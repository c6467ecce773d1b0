"""DER (X.690 section 10) seen from outside: where elements begin and end. Reads bytes in place and makes no objects of them.

For checks that every certificate goes through; what needs values takes a library.
"""

from typing import NamedTuple

OCTET_STRING = 0x04
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
UTC_TIME, GENERALIZED_TIME = 0x17, 0x18
SEQUENCE, SET = 0x30, 0x31


class Element(NamedTuple):
    """An element of `data[start:end]`, whose content begins at `content`. `tag` is the identifier octet."""

    tag: int
    start: int
    content: int
    end: int


def element(data: bytes, start: int, end: int) -> Element:
    """The element that begins at `start`, no further than `end`.

    Raises ValueError for a tag number above 30, and for a length that is not definite, not the shortest, or past the end.
    """
    if start + 2 > end:
        raise ValueError("an element is cut short")
    tag, length, content = data[start], data[start + 1], start + 2
    if tag & 0x1F == 0x1F:
        raise ValueError("a tag number above 30")
    if length >= 0x80:
        octets = length & 0x7F
        content += octets
        if not 1 <= octets <= 4 or content > end or data[start + 2] == 0:
            raise ValueError("a length that is not DER")
        length = int.from_bytes(data[start + 2 : content])
        if length < 0x80:
            raise ValueError("a length that is not the shortest")
    if content + length > end:
        raise ValueError("an element is cut short")
    return Element(tag, start, content, content + length)


def whole(data: bytes, tag: int) -> Element:
    """The element that `data` consists of. Raises ValueError if it has another tag, or if something follows."""
    found = element(data, 0, len(data))
    if found.tag != tag or found.end != len(data):
        raise ValueError("not one element of the expected type")
    return found


def children(data: bytes, parent: Element) -> list[Element]:
    """The elements that the content of `parent` consists of, in order. Raises ValueError as `element` does."""
    found: list[Element] = []
    position, end = parent.content, parent.end
    while position < end:
        child = _short(data, position, end) or element(data, position, end)
        found.append(child)
        position = child[3]
    return found


def _short(data: bytes, start: int, end: int) -> Element | None:
    """The element if its tag and its length are one octet each, as most are; None for all others, also for what is wrong."""
    content = start + 2
    if content > end or data[start] & 0x1F == 0x1F:
        return None
    length = data[start + 1]
    if length >= 0x80 or content + length > end:
        return None
    return Element(data[start], start, content, content + length)


def encoded(tag: int, content: bytes) -> bytes:
    """The element with this content."""
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets + content
