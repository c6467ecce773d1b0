"""The official judges in this process: UBL 2.1's XSD and the CEN EN 16931 rules."""

import functools

from billing.documents.official import UBL_XSD
from billing.documents.official.rules import Rules


@functools.cache
def _rules() -> Rules:
    return Rules()


def xsd_errors(xml: bytes) -> list[str]:
    """What the schema of the document's root finds."""
    return [text for rule, text in _rules().check(xml) if rule == UBL_XSD]


def cen_errors(xml: bytes) -> list[str]:
    """The ids of the EN 16931 rules that the document breaks."""
    return [rule for rule, _ in _rules().check(xml) if rule != UBL_XSD]
