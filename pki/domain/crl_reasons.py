"""CRLReason (RFC 5280 section 5.3.1) by the names that rows hold, for entries of lists and for OCSP answers."""

from collections.abc import Mapping

NUMBERS: Mapping[str, int] = {
    "unspecified": 0,
    "keyCompromise": 1,
    "cACompromise": 2,
    "affiliationChanged": 3,
    "superseded": 4,
    "cessationOfOperation": 5,
    "privilegeWithdrawn": 9,
}
"""0 is told by leaving the reason out, in both."""
