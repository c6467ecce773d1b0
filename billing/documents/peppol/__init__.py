"""Our own rules: the Peppol and Swedish rules that our invoices could break, by their official ids, and exact sums.

The official rules tolerate wrong amounts (VAT may be wrong by 0,95 kr), so the rules `SITHS-…` require each amount to be exact
to the öre. `billing.documents.validation` runs all these rules together with the UBL XSD and EN 16931.
"""

import decimal

from billing.documents.peppol import exact, rules, schemes, sweden  # noqa: F401  (the import registers their rules)
from billing.documents.peppol.document import RULES, Finding, parse

__all__ = ["Finding", "check", "rule_ids"]


def rule_ids() -> list[str]:
    """Returns the id of each own rule."""
    return [rule_id for rule_id, _, _ in RULES]


def check(xml: bytes) -> list[Finding]:
    """Returns every own rule that the UBL document breaks, in the order of registration."""
    document = parse(xml)
    with decimal.localcontext() as context:
        context.traps[decimal.InvalidOperation] = False  # NaN then compares as false instead of raising
        return [Finding(rule_id, message) for rule_id, message, broken in RULES if broken(document)]
