"""A customer's own form of its references, in a small language of regular expressions that is matched without backtracking.

A pattern is one or more alternatives with `|` between them. An alternative is a row of characters, classes (`[A-Z0-9]`, `\\d` for
a digit, `.` for any character), each with at most one count: `?`, `{n}` or `{n,m}`. There are no groups and no unlimited counts.
So the work is bounded by pattern length, text length and count, whatever the pattern is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

LONGEST_PATTERN = 100
LONGEST_TEXT = 100
MOST = 50
"""The largest number in a count."""
_DIGITS = "0123456789"
_ITEM = re.compile(r"(?P<set>\[[^\]]+\]|\\.|[^\\\[\](){}?*+|^$])(?P<count>\?|\{[0-9]{1,2}(?:,[0-9]{1,2})?\})?", re.DOTALL)


class WrongPattern(ValueError):
    """The text is no pattern. The argument is a Swedish sentence that says why."""


@dataclass(frozen=True)
class _Item:
    """Between `least` and `most` characters of `allowed`; None allows every character."""

    allowed: frozenset[str] | None
    least: int
    most: int

    def ends(self, text: str, start: int) -> Iterator[int]:
        """Yields each position up to which the item can match from `start` on."""
        if self.least == 0:
            yield start
        for length in range(1, self.most + 1):
            place = start + length - 1
            if place >= len(text) or (self.allowed is not None and text[place] not in self.allowed):
                return
            if length >= self.least:
                yield start + length


@dataclass(frozen=True)
class Pattern:
    """A parsed pattern."""

    alternatives: tuple[tuple[_Item, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parses `text`. Raises WrongPattern."""
        if len(text) > LONGEST_PATTERN:
            raise WrongPattern(f"Mönstret får ha högst {LONGEST_PATTERN} tecken.")
        alternatives = tuple(tuple(_items(part)) for part in text.split("|"))
        if not all(alternatives):
            raise WrongPattern("Skriv något på båda sidor om varje |.")
        return cls(alternatives)

    def matches(self, text: str) -> bool:
        """Returns whether the complete text has the form. Texts longer than LONGEST_TEXT never have."""
        return len(text) <= LONGEST_TEXT and any(_match(items, text) for items in self.alternatives)


def _match(items: tuple[_Item, ...], text: str) -> bool:
    places = {0}
    for item in items:
        places = {end for place in places for end in item.ends(text, place)}
    return len(text) in places


def _items(text: str) -> Iterator[_Item]:
    at = 0
    while at < len(text):
        found = _ITEM.match(text, at)
        if found is None:
            raise WrongPattern(
                f"Tecken {at + 1} i mönstret går inte att använda. Använd tecken, [A-Z], \\d och antal som {{7}} eller {{1,7}}."
            )
        yield _Item(_allowed(found["set"]), *_counts(found["count"] or ""))
        at = found.end()


def _allowed(part: str) -> frozenset[str] | None:
    if part == ".":
        return None
    if part.startswith("\\"):
        if part[1].isalnum() and part[1] != "d":
            raise WrongPattern(f"{part} går inte att använda. Använd \\d för en siffra, eller en klass som [A-Z].")
        return frozenset(_DIGITS if part[1] == "d" else part[1])
    return frozenset(_members(part[1:-1])) if part.startswith("[") else frozenset(part)


def _members(inside: str) -> Iterator[str]:
    at = 0
    if inside.startswith("^") or "\\" in inside or "[" in inside:
        raise WrongPattern("Skriv bara tecken och intervall inom [ ], till exempel [A-Z0-9].")
    while at < len(inside):
        if inside[at + 1 : at + 2] == "-" and at + 2 < len(inside):
            first, last = ord(inside[at]), ord(inside[at + 2])
            if not first <= last <= first + 255:
                raise WrongPattern("Skriv intervall inom [ ] från det lägsta tecknet till det högsta, till exempel A-Z.")
            yield from map(chr, range(first, last + 1))
            at += 3
        else:
            yield inside[at]
            at += 1


def _counts(text: str) -> tuple[int, int]:
    if not text:
        return 1, 1
    if text == "?":
        return 0, 1
    least, _, most = text[1:-1].partition(",")
    counts = int(least), int(most or least)
    if not counts[0] <= counts[1] <= MOST or counts[1] == 0:
        raise WrongPattern(f"Skriv antal från 1 till {MOST}, det lägsta först, till exempel {{7}} eller {{1,7}}.")
    return counts
