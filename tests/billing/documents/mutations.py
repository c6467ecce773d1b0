"""Broken documents made from good ones: each element and attribute is removed, emptied, doubled, moved and changed.

A mutation is named by the path of its element and by its change. An invoice and a credit note, and two lines of one document,
have the same names, so `distinct` has each change of each kind of element once.
"""

import copy
import random
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from lxml import etree

from billing.documents import ubl

OTHER_CODES = {
    "SEK": "EUR", "SE": "NO", "EA": "H87", "0007": "0088", "0088": "0007", "380": "381", "381": "380", "30": "58", "S": "Z",
    "25": "12", "6": "7", "VAT": "TAX", "TAX": "VAT", "SE:BANKGIRO": "SE:PLUSGIRO", "130": "50",
}  # fmt: skip
"""Codes with others of their lists, which are well-formed and wrong here."""

type Change = Callable[[etree._Element], object]
"""Changes the element, or returns False if it has nothing to change."""


def _drop(element: etree._Element) -> object:
    return element.getparent() is not None and element.getparent().remove(element)


def _twice(element: etree._Element) -> object:
    return element.getparent() is not None and element.addnext(copy.deepcopy(element))


def _swap(element: etree._Element) -> object:
    following = element.getnext()
    return following is not None and following.tag != element.tag and following.addnext(element)


def _first(element: etree._Element) -> object:
    parent = element.getparent()
    return parent is not None and parent.index(element) > 0 and parent.insert(0, element)


def _hollow(element: etree._Element) -> object:
    return len(element) > 0 and [element.remove(child) for child in list(element)]


def _foreign(element: etree._Element) -> object:
    element.tag = f"{{urn:example:other}}{etree.QName(element).localname}"
    return None


def _child(element: etree._Element) -> object:
    return etree.SubElement(element, f"{{{ubl.CBC}}}Unknown")


def _attribute(element: etree._Element) -> object:
    return element.set("unknown", "1")


def _text(new: Callable[[str], str | None]) -> Change:
    def change(element: etree._Element) -> object:
        if len(element):
            return False
        old = element.text or ""
        text = new(old)
        if text is None or text == old:
            return False
        element.text = text
        return None

    return change


def _attributes(new: Callable[[str], str | None]) -> Change:
    def change(element: etree._Element) -> object:
        changed = False
        for name, old in list(element.attrib.items()):
            value = new(old)
            if value is None:
                del element.attrib[name]
            else:
                element.set(name, value)
            changed |= value != old
        return changed and None

    return change


def _next_digit(text: str, place: int) -> str | None:
    places = [index for index, sign in enumerate(text) if sign.isdecimal()]
    if not places:
        return None
    at = places[place]
    return f"{text[:at]}{(int(text[at]) + 1) % 10}{text[at + 1 :]}"


def _swapped_digits(text: str) -> str | None:
    for index in range(len(text) - 1, 0, -1):
        one, other = text[index - 1], text[index]
        if one.isdecimal() and other.isdecimal() and one != other:
            return f"{text[: index - 1]}{other}{one}{text[index + 1 :]}"
    return None


def _number(text: str, new: Callable[[str], str]) -> str | None:
    return new(text) if text.replace(".", "", 1).isdecimal() else None


CHANGES: dict[str, Change] = {
    "drop": _drop,
    "twice": _twice,
    "swap": _swap,
    "first": _first,
    "hollow": _hollow,
    "foreign": _foreign,
    "unknown child": _child,
    "unknown attribute": _attribute,
    "empty": _text(lambda old: ""),
    "blank": _text(lambda old: " "),
    "nonsense": _text(lambda old: "XX"),
    "case": _text(str.swapcase),
    "long": _text(lambda old: old + "X" * 300),
    "negative": _text(lambda old: f"-{old}"),
    "zero": _text(lambda old: _number(old, lambda _: "0")),
    "ten times": _text(lambda old: _number(old, lambda number: f"{number}0" if "." not in number else f"1{number}")),
    "an öre more": _text(lambda old: _number(old, lambda number: str(Decimal(number) + Decimal("0.01")))),
    "decimals": _text(lambda old: _number(old, lambda number: f"{number}{'' if '.' in number else '.00'}1")),
    "comma": _text(lambda old: _number(old, lambda number: number.replace(".", ",") if "." in number else f"{number},0")),
    "spaces": _text(lambda old: _number(old, lambda number: f"{number[:1]} {number[1:]}")),
    "check digit": _text(lambda old: _next_digit(old, -1)),
    "first digit": _text(lambda old: _next_digit(old, 0)),
    "digits swapped": _text(_swapped_digits),
    "other code": _text(OTHER_CODES.get),
    "no attribute": _attributes(lambda old: None),
    "empty attribute": _attributes(lambda old: ""),
    "other attribute": _attributes(lambda old: OTHER_CODES.get(old, "9901")),
    "wrong attribute": _attributes(lambda old: "QQQ"),
    "case of attribute": _attributes(str.swapcase),
}


@dataclass(frozen=True)
class Mutation:
    """One change of one element of a good document, which `xml` carries out."""

    base: bytes
    index: int
    path: str
    change: str

    @property
    def name(self) -> str:
        """The path and the change, with the words in which the two documents differ left out."""
        return f"{re.sub('Invoiced?|CreditNote|Credited', '', self.path)}: {self.change}"

    @cached_property
    def xml(self) -> bytes:
        """The broken document; empty if the change has nothing to change here."""
        root = etree.fromstring(self.base)
        element = next(each for index, each in enumerate(root.iter()) if index == self.index)
        return b"" if CHANGES[self.change](element) is False else etree.tostring(root)


def all_of(base: bytes) -> Iterator[Mutation]:
    """Every mutation of a document, also those that change nothing."""
    root = etree.fromstring(base)
    for index, element in enumerate(root.iter()):
        names = [etree.QName(each).localname for each in (element, *element.iterancestors())]
        for change in CHANGES:
            yield Mutation(base, index, "/".join(reversed(names)), change)


def distinct(bases: list[bytes], chance: random.Random) -> list[Mutation]:
    """One mutation of each name, of a random element in one of `bases`."""
    found: dict[str, list[Mutation]] = {}
    for base in bases:
        for mutation in all_of(base):
            found.setdefault(mutation.name, []).append(mutation)
    chosen = []
    for candidates in found.values():
        chance.shuffle(candidates)
        chosen += [each for each in candidates[:3] if each.xml][:1]
    return chosen
