# ruff: noqa: SIM905
"""Code lists of the rules: the official ones of EN 16931, and those that Peppol BIS Billing 3.0 restricts."""

import json
from pathlib import Path

__all__ = [
    "ALLOWANCE_REASON", "CHARGE_REASON", "COUNTRY", "CREDIT_NOTE_TYPE", "CURRENCY", "ENDPOINT_SCHEME", "IDENTIFIER_SCHEME",
    "INVOICE_TYPE", "MIME", "PAYMENT_MEANS", "PERIOD_DESCRIPTION", "UNIT",
]  # fmt: skip

_LISTS = json.loads((Path(__file__).parent / "code_lists.json").read_text(encoding="utf-8"))["lists"]


def _official(name: str) -> frozenset[str]:
    """Returns the codes of one list of `code_lists.json`, which `python -m siths_portal.dev.code_lists` writes."""
    return frozenset(" ".join(_LISTS[name]["codes"]).split())


ALLOWANCE_REASON = _official("ALLOWANCE_REASON")
CHARGE_REASON = _official("CHARGE_REASON")
COUNTRY = _official("COUNTRY")
CURRENCY = _official("CURRENCY")
IDENTIFIER_SCHEME = _official("IDENTIFIER_SCHEME")
PAYMENT_MEANS = _official("PAYMENT_MEANS")
PERIOD_DESCRIPTION = _official("PERIOD_DESCRIPTION")
UNIT = _official("UNIT")
# The letter codes of EN 16931 (EM for e-mail) are left out: no Peppol participant has one.
ENDPOINT_SCHEME = frozenset(code for code in _official("ENDPOINT_SCHEME") if code.isdecimal())
MIME = frozenset({
    "application/pdf", "image/png", "image/jpeg", "text/csv",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/vnd.oasis.opendocument.spreadsheet",
})  # fmt: skip
# The document types that process 01 accepts (P0100, P0101).
INVOICE_TYPE = frozenset(
    "71 80 82 84 102 218 219 326 331 380 382 383 384 386 388 393 395 553 575 623 780 817 870 875 876 877".split()
)
CREDIT_NOTE_TYPE = frozenset("381 396 81 83 532".split())
