"""States and transitions of an eID app transaction, by which a holder activates or unlocks a card, or fetches an eID
(rules/issuance 5.3).
"""

from collections.abc import Mapping
from enum import StrEnum


class TransactionKind(StrEnum):
    """The app's task: set the card's code and sign, only sign if the code already works, only choose a new code for a card in
    use, or fetch an ordered eID onto it. Officers sign statements with their own cards by SIGN too.
    """

    ACTIVATE = "activate"
    SIGN = "sign"
    UNLOCK = "unlock"
    FETCH = "fetch"


class TransactionState(StrEnum):
    """The state of a transaction. The last five are final."""

    CREATED = "created"
    STARTED = "started"
    CODE_SET = "code_set"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    FAILED = "failed"
    SUPERSEDED = "superseded"


class TransactionAction(StrEnum):
    """The actions on a transaction. RENEW_HANDLE and REPORT_CARD keep its state."""

    RENEW_HANDLE = "handle_renewed"
    START = "started"
    SET_CODE = "code_set"
    REPORT_CARD = "card_reported"
    COMPLETE = "completed"
    CANCEL = "cancelled"
    EXPIRE = "expired"
    FAIL = "failed"
    SUPERSEDE = "superseded"


OPEN = (TransactionState.CREATED, TransactionState.STARTED, TransactionState.CODE_SET)

_ENDS = {
    TransactionAction.CANCEL: TransactionState.CANCELLED,
    TransactionAction.EXPIRE: TransactionState.EXPIRED,
    TransactionAction.FAIL: TransactionState.FAILED,
    TransactionAction.SUPERSEDE: TransactionState.SUPERSEDED,
}

# COMPLETED straight from STARTED is for `sign`, `unlock` and `fetch`; the carrier's transitions refuse it for `activate`.
TRANSITIONS: Mapping[tuple[TransactionState, TransactionAction], TransactionState] = {
    (TransactionState.CREATED, TransactionAction.RENEW_HANDLE): TransactionState.CREATED,
    (TransactionState.CREATED, TransactionAction.START): TransactionState.STARTED,
    (TransactionState.STARTED, TransactionAction.SET_CODE): TransactionState.CODE_SET,
    (TransactionState.STARTED, TransactionAction.COMPLETE): TransactionState.COMPLETED,
    (TransactionState.CODE_SET, TransactionAction.COMPLETE): TransactionState.COMPLETED,
    **{(state, TransactionAction.REPORT_CARD): state for state in (TransactionState.STARTED, TransactionState.CODE_SET)},
    **{(state, action): end for state in OPEN for action, end in _ENDS.items()},
}
