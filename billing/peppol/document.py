"""A UBL document read for the gate's rules, and the register that the rules enter themselves in."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from lxml import etree

from billing.ubl import CAC, CBC

_NS = {"cac": CAC, "cbc": CBC}
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,10})?")


@dataclass(frozen=True)
class Finding:
    """A rule that the invoice breaks, by its official id, with a sentence in Swedish."""

    rule: str
    message: str

    @property
    def text(self) -> str:
        """The sentence with the rule's id, as pages and commands show it."""
        return f"{self.message.removesuffix('.')} ({self.rule})."


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
        return [Node(found) for found in self.element.xpath(path, namespaces=_NS)]

    def at(self, path: str) -> str:
        """The text of the first element at `path`, empty if there is none."""
        return next((node.text for node in self.all(path)), "")

    def number(self, path: str, default: str = "0") -> Decimal:
        """The first element's number; `default` if there is none; not a number if it is not one, which equals nothing."""
        text = self.at(path) or default
        return Decimal(text) if _DECIMAL.fullmatch(text) else Decimal("NaN")

    def attribute(self, name: str) -> str:
        """The attribute's value, empty if it is missing."""
        return self.element.get(name) or ""


def parse(xml: bytes) -> Node:
    """The document's root. No entity is resolved and nothing is fetched. Raises lxml's XMLSyntaxError."""
    return Node(etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)))


Rule = Callable[[Node], bool]
RULES: list[tuple[str, str, Rule]] = []


def rule(rule_id: str, message: str) -> Callable[[Rule], Rule]:
    """Enters a function that is true of a document which breaks the rule `rule_id`."""

    def register(broken: Rule) -> Rule:
        RULES.append((rule_id, message, broken))
        return broken

    return register


def lines(document: Node) -> list[Node]:
    """BG-25, of an invoice or a credit note."""
    return document.all("cac:InvoiceLine|cac:CreditNoteLine")


def line_amount(line: Node) -> Decimal:
    """Quantity times price, with charges and allowances, before rounding."""
    base = line.number("cac:Price/cbc:BaseQuantity", "1") or Decimal(1)
    quantity = line.number("cbc:InvoicedQuantity|cbc:CreditedQuantity", "1")
    amount = quantity * line.number("cac:Price/cbc:PriceAmount") / base
    for each in line.all("cac:AllowanceCharge"):
        amount += each.number("cbc:Amount") * (1 if each.at("cbc:ChargeIndicator") == "true" else -1)
    return amount


def differs(one: Decimal, other: Decimal, slack: Decimal = Decimal(0)) -> bool:
    """True if the amounts are further apart than `slack`, or one of them is no number."""
    return one.is_nan() or other.is_nan() or abs(one - other) > slack


def day(text: str) -> dt.date | None:
    """The date written as YYYY-MM-DD; None for anything else."""
    try:
        return dt.date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def seller(document: Node) -> Node:
    """BG-4, an empty node if there is none."""
    return next(iter(document.all("cac:AccountingSupplierParty/cac:Party")), Node(etree.Element("none")))
