"""The gate before an invoice is issued: the Peppol and Swedish rules that can hit us, by their own ids, and our exact sums.

The official rules allow more than money does (0,95 kr of wrong VAT passes), so the rules `SITHS-…` demand each amount to the
öre. XSD and EN 16931 are judged in the tests, with the official files.
"""

from billing.peppol import exact, rules, sweden  # noqa: F401  (they enter their rules)
from billing.peppol.document import RULES, Finding, parse

__all__ = ["Finding", "check", "rule_ids"]


def rule_ids() -> list[str]:
    """The id of every rule of the gate."""
    return [rule_id for rule_id, _, _ in RULES]


def check(xml: bytes) -> list[Finding]:
    """Every rule that the UBL document breaks, in the gate's order; empty if the invoice may be issued."""
    document = parse(xml)
    return [Finding(rule_id, message) for rule_id, message, broken in RULES if broken(document)]
