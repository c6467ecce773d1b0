# ruff: noqa: SIM905
"""Code lists that the rules name: the official ones of EN 16931, and those that Peppol BIS Billing 3.0 narrows."""

from billing.peppol.code_lists import (
    ALLOWANCE_REASON,
    CHARGE_REASON,
    COUNTRY,
    CURRENCY,
    IDENTIFIER_SCHEME,
    PAYMENT_MEANS,
    PERIOD_DESCRIPTION,
    UNIT,
)
from billing.peppol.code_lists import ENDPOINT_SCHEME as _EAS

__all__ = [
    "ALLOWANCE_REASON", "CHARGE_REASON", "COUNTRY", "CREDIT_NOTE_TYPE", "CURRENCY", "ENDPOINT_SCHEME", "IDENTIFIER_SCHEME",
    "INVOICE_TYPE", "MIME", "PAYMENT_MEANS", "PERIOD_DESCRIPTION", "UNIT",
]  # fmt: skip

# EN 16931 has letter codes (EM for e-mail) too, which no Peppol participant has.
ENDPOINT_SCHEME = frozenset(code for code in _EAS if code.isdecimal())
MIME = frozenset({
    "application/pdf", "image/png", "image/jpeg", "text/csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/vnd.oasis.opendocument.spreadsheet",
})  # fmt: skip
# P0100 and P0101: what process 01 takes.
INVOICE_TYPE = frozenset(
    "71 80 82 84 102 218 219 326 331 380 382 383 384 386 388 393 395 553 575 623 780 817 870 875 876 877".split()
)
CREDIT_NOTE_TYPE = frozenset("381 396 81 83 532".split())
