"""The table of an activation's states."""

import pytest

from issuance.activation.domain.transaction_states import OPEN, TRANSITIONS, TransactionAction, TransactionState


@pytest.mark.parametrize("state", TransactionState)
@pytest.mark.parametrize("action", TransactionAction)
def test_a_transaction_moves_by_its_table_alone(state: TransactionState, action: TransactionAction) -> None:
    """Nothing leaves a final state, and each action leads to the state that bears its name."""
    after = TRANSITIONS.get((state, action))
    if state not in OPEN:
        assert after is None
    if after is not None and action not in (TransactionAction.RENEW_HANDLE, TransactionAction.REPORT_CARD):
        assert after.value == action.value
    ends = {TransactionAction.CANCEL, TransactionAction.EXPIRE, TransactionAction.FAIL, TransactionAction.SUPERSEDE}
    if state in OPEN and action in ends:
        assert after is not None
