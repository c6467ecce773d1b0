"""States of a row of work, and the actions on it (rules/issuance 7.11)."""

from collections.abc import Mapping
from enum import StrEnum

LONGEST_REASON = 500
LONGEST_DELAY = 365
"""The longest time, in days, for which a row is postponed."""

MOST_AT_ONCE = 200
"""The most rows that one act takes."""


class WorkState(StrEnum):
    """The state of a row of work. DONE is an officer's decision, which stands while the cause does. GONE is final: the cause is
    gone, and a new one begins a new row.
    """

    OPEN = "open"
    POSTPONED = "postponed"
    DONE = "done"
    GONE = "gone"


class WorkAction(StrEnum):
    """The actions on a row of work. END and WAKE are the nightly comparison's, the others an officer's."""

    ASSIGN = "assigned"
    POSTPONE = "postponed"
    FINISH = "finished"
    REOPEN = "reopened"
    WAKE = "woken"
    END = "ended"


_S, _A = WorkState, WorkAction
TRANSITIONS: Mapping[tuple[WorkState, WorkAction], WorkState] = {
    (_S.OPEN, _A.ASSIGN): _S.OPEN,
    (_S.OPEN, _A.POSTPONE): _S.POSTPONED,
    (_S.OPEN, _A.FINISH): _S.DONE,
    (_S.OPEN, _A.END): _S.GONE,
    (_S.POSTPONED, _A.ASSIGN): _S.POSTPONED,
    (_S.POSTPONED, _A.POSTPONE): _S.POSTPONED,
    (_S.POSTPONED, _A.FINISH): _S.DONE,
    (_S.POSTPONED, _A.REOPEN): _S.OPEN,
    (_S.POSTPONED, _A.WAKE): _S.OPEN,
    (_S.POSTPONED, _A.END): _S.GONE,
    (_S.DONE, _A.REOPEN): _S.OPEN,
    (_S.DONE, _A.END): _S.GONE,
}

STANDING = [WorkState.OPEN.value, WorkState.POSTPONED.value, WorkState.DONE.value]
"""States of rows whose cause stands."""
