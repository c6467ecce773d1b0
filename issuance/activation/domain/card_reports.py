"""Reports of the eID app from the card reader during an activation (rules/issuance 5.3; ADR 0289)."""

from enum import StrEnum


class CardReport(StrEnum):
    """The latest event at the card. The portal itself records the last two; the app cannot report them."""

    WRONG_CARD = "wrong-card"
    WRONG_CODE = "wrong-code"
    CODE_BLOCKED = "code-blocked"
    WRONG_PUK = "wrong-puk"
    PUK_BLOCKED = "puk-blocked"
    CODE_RESET = "code-reset"
    PUK_LIMIT = "puk-limit"


REPORTED = (
    CardReport.WRONG_CARD,
    CardReport.WRONG_CODE,
    CardReport.CODE_BLOCKED,
    CardReport.WRONG_PUK,
    CardReport.PUK_BLOCKED,
)
"""Reports that the app may send. It reports a reset code by `code-set`."""

BEYOND_HELP = frozenset({CardReport.WRONG_PUK, CardReport.PUK_BLOCKED, CardReport.PUK_LIMIT})
"""Reports after which the card's PUK does not help, or not today; the holder needs a new card."""

MOST_REPORTS = 50
"""The highest number of reports in one transaction. A card allows three wrong codes and ten wrong PUKs."""
