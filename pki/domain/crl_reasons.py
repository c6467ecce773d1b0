"""CRLReason (RFC 5280 section 5.3.1) by the names in the database, for CRL entries and for OCSP responses."""

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
"""0 is expressed by omitting the reason, in both."""
