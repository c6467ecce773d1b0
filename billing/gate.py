"""The gate before an invoice gets its number, and again on its final bytes: our own rules, the UBL XSD and EN 16931.

Own rules come first, since their Swedish sentences say what to do; an official rule that one of them reports is not repeated.
"""

from importlib.metadata import version

import structlog

from billing import peppol
from billing.official import texts, validator
from billing.peppol import Finding

VERSION = f"gate/1 factur-x/{version('factur-x')}"
"""What judged a draft, stored with it. A new own rule raises the first number."""

_REPORTED_BY = {
    "BR-CL-03": "PEPPOL-EN16931-CL007",
    "BR-CL-06": "PEPPOL-EN16931-CL006",
    "BR-CL-19": "PEPPOL-EN16931-CL002",
    "BR-CL-20": "PEPPOL-EN16931-CL003",
    "BR-CL-24": "PEPPOL-EN16931-CL001",
    "BR-CL-25": "PEPPOL-EN16931-CL008",
}
"""Official rules whose fault an own rule with another id reports."""

log = structlog.get_logger(__name__)


def check(xml: bytes) -> list[Finding]:
    """Returns every rule that the UBL document breaks; empty if the invoice may be issued.

    Raises Unavailable if the official rules cannot be run, since a document that nobody judged gets no number.
    """
    found = peppol.check(xml)
    known = {finding.rule for finding in found}
    for rule, text in validator.findings(xml):
        if rule not in known and _REPORTED_BY.get(rule) not in known:
            log.warning("invoice_rules.broken", rule=rule, text=text)
            known.add(rule)
            found.append(Finding(rule, texts.sentence(rule)))
    return found
