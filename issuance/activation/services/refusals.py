"""Refusals of the eID app's calls, as they are recorded: wrong proofs and signatures are counted, and a fault of ours ends the
transaction.
"""

from django.conf import settings
from django.db import transaction as database

from issuance.activation.domain.transaction_states import OPEN, TransactionAction
from issuance.activation.models import EidAppTransaction
from issuance.activation.services import transactions
from issuance.records.models.events import Event
from siths_portal.lib.errors import DomainError


def record_refusal(row: EidAppTransaction, fault: DomainError, count: int) -> None:
    """Records a refused proof or signature, with its number, in the caller's transaction."""
    Event.record(
        actor_ref="system:eid-app",
        action="transaction.proof_refused",
        subject_type="transaction",
        subject_ref=str(row.pk),
        facts={"reason": fault.code, "count": count},
    )


@database.atomic(durable=True)
def refuse_signature(seen: EidAppTransaction, fault: DomainError) -> DomainError:
    """Counts a refused signature. It came from the app that proved the card, so too many end the transaction."""
    _, row = transactions.locked_with_carrier(seen)
    transactions.require_open(row)
    row.wrong_signatures += 1
    row.save(update_fields=["wrong_signatures"])
    record_refusal(row, fault, row.wrong_signatures)
    if row.wrong_signatures >= settings.ACTIVATION_WRONG_PROOFS:
        facts = {"reason": fault.code, "wrong_signatures": row.wrong_signatures}
        transactions.end(row, TransactionAction.FAIL, actor_ref="system:wrong-proofs", facts=facts)
    return fault


@database.atomic(durable=True)
def fail(seen: EidAppTransaction, reason: str, *, actor_ref: str) -> None:
    """Ends an open transaction for a fault that the app cannot cure."""
    _, row = transactions.locked_with_carrier(seen)
    if transactions.state_now(row) in OPEN:
        transactions.end(row, TransactionAction.FAIL, actor_ref=actor_ref, facts={"reason": reason})
