"""The end of an unlocking: the eID app reports that the holder has chosen a new code with the PUK (rules/issuance 5.6)."""

from django.db import transaction as database

from issuance.activation.domain.transaction_states import TransactionAction, TransactionState
from issuance.activation.models import EidAppTransaction
from issuance.activation.services import transactions, visits
from issuance.carriers.domain.carrier_states import CarrierAction
from issuance.orders.services import withdrawing
from issuance.records.services import steps
from siths_portal.lib import clock


@database.atomic(durable=True)
def unlock(seen: EidAppTransaction) -> str:
    """Records the unlocked card and completes the transaction, which has no receipt. Withdraws a PUK letter of the card that no
    supplier has accepted. Returns the transaction's state. Repeatable.

    Raises Conflict (ended, clerk's role lost), IllegalTransition (a card that is no longer active).
    """
    carrier, row = transactions.locked_with_carrier(seen)
    if row.state == TransactionState.COMPLETED:
        return row.state
    transactions.require_open(row)
    visits.require_officer(row, carrier)
    actor_ref = transactions.holder_ref(carrier)
    facts = {"transaction": str(row.pk), **_ground(row)}
    steps.step([carrier], CarrierAction.UNLOCK, actor_ref=actor_ref, facts=facts)
    withdrawing.withdraw_letters(carrier.pk, actor_ref=actor_ref, transaction_id=row.pk)
    row.code_set_at = clock.now()
    row.save(update_fields=["code_set_at"])
    transactions.end(row, TransactionAction.COMPLETE, actor_ref=actor_ref)
    return row.state


def _ground(row: EidAppTransaction) -> dict[str, str]:
    """Returns what allowed the unlocking: an officer's identification, or the holder's own statement."""
    if row.ground_id is not None:
        return {"statement": str(row.ground_id)}
    return {"officer": row.officer_ref, "identification": str(row.identification_id)}
