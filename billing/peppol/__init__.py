"""Our own rules: those of Peppol and Sweden that can hit us, by their official ids, and exact sums.

The official rules allow more than money does (0,95 kr of wrong VAT passes), so the rules `SITHS-…` demand each amount to the
öre. `billing.gate` runs them together with the UBL XSD and EN 16931.
"""

import decimal

from billing.peppol import exact, rules, schemes, sweden  # noqa: F401  (they enter their rules)
from billing.peppol.document import RULES, Finding, parse

__all__ = ["Finding", "check", "rule_ids"]


def rule_ids() -> list[str]:
    """Returns the id of each own rule."""
    return [rule_id for rule_id, _, _ in RULES]


def check(xml: bytes) -> list[Finding]:
    """Returns every own rule that the UBL document breaks, in the order of registration."""
    document = parse(xml)
    with decimal.localcontext() as context:
        context.traps[decimal.InvalidOperation] = False  # what is not a number compares as false and computes to none
        return [Finding(rule_id, message) for rule_id, message, broken in RULES if broken(document)]
