"""What the eID app reports from the card reader during an activation (rules/issuance 5.3; ADR 0289)."""

from enum import StrEnum


class CardReport(StrEnum):
    """The latest thing that happened at the card. The last two are noted by the portal itself, never reported."""

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
"""What the app may report. It reports a reset code by `code-set`."""

BEYOND_HELP = frozenset({CardReport.WRONG_PUK, CardReport.PUK_BLOCKED, CardReport.PUK_LIMIT})
"""The card's PUK does not help, or not today: the way on is a new card."""

MOST_REPORTS = 50
"""How many reports one transaction takes. A card allows three wrong codes and ten wrong PUKs."""
