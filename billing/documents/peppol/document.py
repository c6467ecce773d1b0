"""A parsed UBL document as the own rules read it, and the register of these rules."""

import datetime as dt
import functools
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from billing.documents.ubl import CAC, CBC

_NS = {"cac": CAC, "cbc": CBC}
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,10})?")


@dataclass(frozen=True)
class Finding:
    """A broken rule: its official id and a Swedish sentence. Pages show the sentence, and the id as a detail."""

    rule: str
    message: str


@functools.cache
def _compiled(path: str) -> etree.XPath:
    """Returns the XPath of a rule, compiled once: each document would otherwise compile some two hundred."""
    return etree.XPath(path, namespaces=_NS)


class Node:
    """An element read by XPath with the UBL prefixes `cac` and `cbc`."""

    def __init__(self, element: etree._Element) -> None:
        self.element = element

    @property
    def text(self) -> str:
        """The element's text without surrounding white space."""
        return (self.element.text or "").strip()

    def all(self, path: str) -> list["Node"]:
        """The elements at `path`, in document order."""
        return [Node(found) for found in _compiled(path)(self.element)]

    def at(self, path: str) -> str:
        """The text of the first element at `path`, empty if there is none."""
        return next((node.text for node in self.all(path)), "")

    def number(self, path: str, default: str = "0") -> Decimal:
        """Returns the number in the first element at `path`, `default` if missing or empty, or NaN if it is not a number."""
        text = self.at(path) or default
        return Decimal(text) if _DECIMAL.fullmatch(text) else Decimal("NaN")

    def attribute(self, name: str) -> str:
        """The attribute's value, empty if it is missing."""
        return self.element.get(name) or ""


def parse(xml: bytes) -> Node:
    """Returns the root of the document. Resolves no entity and fetches no file. Raises lxml's XMLSyntaxError."""
    return Node(etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)))


Rule = Callable[[Node], bool]
RULES: list[tuple[str, str, Rule]] = []


def rule(rule_id: str, message: str) -> Callable[[Rule], Rule]:
    """Registers the decorated function as rule `rule_id`. The function returns True if the document breaks the rule."""

    def register(broken: Rule) -> Rule:
        RULES.append((rule_id, message, broken))
        return broken

    return register


def lines(document: Node) -> list[Node]:
    """Returns the lines (BG-25) of an invoice or a credit note."""
    return document.all("cac:InvoiceLine|cac:CreditNoteLine")


def line_amount(line: Node) -> Decimal:
    """Returns quantity times price plus charges minus allowances, not rounded. NaN if one of them is not a number."""
    base = line.number("cac:Price/cbc:BaseQuantity", "1") or Decimal(1)
    quantity = line.number("cbc:InvoicedQuantity|cbc:CreditedQuantity", "1")
    amount = quantity * line.number("cac:Price/cbc:PriceAmount") / base
    for each in line.all("cac:AllowanceCharge"):
        amount += each.number("cbc:Amount") * (1 if each.at("cbc:ChargeIndicator") == "true" else -1)
    return amount


def differs(one: Decimal, other: Decimal, slack: Decimal = Decimal(0)) -> bool:
    """True if the amounts differ by more than `slack`, or one of them is NaN."""
    return one.is_nan() or other.is_nan() or abs(one - other) > slack


def day(text: str) -> dt.date | None:
    """Parses YYYY-MM-DD. Returns None for any other text."""
    try:
        return dt.date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def seller(document: Node) -> Node:
    """Returns the seller (BG-4), or an empty node if the document has none."""
    return next(iter(document.all("cac:AccountingSupplierParty/cac:Party")), Node(etree.Element("none")))
