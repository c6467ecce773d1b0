"""DER (X.690 section 10): finds the bounds of elements in place, and builds elements, without creating objects.

For data that every certificate, response and CRL passes through; code that needs values uses a library.
"""

import calendar
import datetime as dt
import functools
from typing import NamedTuple

from asn1crypto.core import ObjectIdentifier

INTEGER, BIT_STRING, OCTET_STRING, ENUMERATED = 0x02, 0x03, 0x04, 0x0A
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
    """Returns the element that begins at `start` and ends at `end` or earlier.

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
    """Returns the single element in `data`. Raises ValueError if it has another tag, or if more octets follow."""
    found = element(data, 0, len(data))
    if found.tag != tag or found.end != len(data):
        raise ValueError("not a single element of the expected type")
    return found


def children(data: bytes, parent: Element) -> list[Element]:
    """Returns the elements in the content of `parent`, in order. Raises ValueError as `element` does."""
    found: list[Element] = []
    position, end = parent.content, parent.end
    while position < end:
        child = _short(data, position, end) or element(data, position, end)
        found.append(child)
        position = child[3]
    return found


def _short(data: bytes, start: int, end: int) -> Element | None:
    """Returns the element if its tag and length are one octet each, as most are; None for all others, including invalid ones."""
    content = start + 2
    if content > end or data[start] & 0x1F == 0x1F:
        return None
    length = data[start + 1]
    if length >= 0x80 or content + length > end:
        return None
    return Element(data[start], start, content, content + length)


def header(tag: int, length: int) -> bytes:
    """Returns identifier and length octets of an element whose content has `length` octets."""
    if length < 0x80:
        return bytes((tag, length))
    octets = length.to_bytes((length.bit_length() + 7) // 8)
    return bytes((tag, 0x80 | len(octets))) + octets


def encoded(tag: int, content: bytes) -> bytes:
    """Returns the element with this content."""
    return header(tag, len(content)) + content


def integer(value: int) -> bytes:
    """Encodes a number as INTEGER. Raises ValueError if it is negative."""
    if value < 0:
        raise ValueError("a negative number")
    return encoded(INTEGER, value.to_bytes(value.bit_length() // 8 + 1))


_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST = int((dt.datetime(1, 1, 1, tzinfo=dt.UTC) - _EPOCH).total_seconds())
_UTC_FROM, _UTC_BEFORE = calendar.timegm((1950, 1, 1, 0, 0, 0)), calendar.timegm((2050, 1, 1, 0, 0, 0))
NEVER = calendar.timegm((9999, 12, 31, 23, 59, 59))
"""The time that means no expiry (RFC 5280 section 4.1.2.5), and the last time that has an encoding; seconds since 1970."""


def seconds(moment: dt.datetime) -> int:
    """Returns whole seconds since 1970 in UTC, truncated."""
    return (moment - _EPOCH) // dt.timedelta(seconds=1)


def generalized_time(since_1970: int) -> bytes:
    """Encodes GeneralizedTime with seconds and Z (RFC 5280 section 4.1.2.5.2). ValueError before year 1 and after 9999."""
    if not _FIRST <= since_1970 <= NEVER:
        raise ValueError("a time outside of the years 1 to 9999")
    at = _EPOCH + dt.timedelta(seconds=since_1970)
    text = b"%04d%02d%02d%02d%02d%02dZ" % (at.year, at.month, at.day, at.hour, at.minute, at.second)
    return encoded(GENERALIZED_TIME, text)


def time(since_1970: int) -> bytes:
    """Encodes Time: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 section 4.1.2.5). ValueError before 1950."""
    if since_1970 < _UTC_FROM:
        raise ValueError("a time before 1950")
    if since_1970 >= _UTC_BEFORE:
        return generalized_time(since_1970)
    return encoded(UTC_TIME, generalized_time(since_1970)[4:])


_TRUE = bytes.fromhex("0101ff")


def extension(oid: str, critical: bool, value: bytes) -> bytes:
    """Encodes an Extension (RFC 5280 section 4.1); `value` is the DER inside extnValue."""
    flag = _TRUE if critical else b""
    return encoded(SEQUENCE, _oid(oid) + flag + encoded(OCTET_STRING, value))


@functools.lru_cache(maxsize=64)
def _oid(oid: str) -> bytes:
    return bytes(ObjectIdentifier(oid).dump())
