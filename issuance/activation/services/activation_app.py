"""The eID app's side of activating or unlocking an ordinary card. There is no login: the card in the reader is the proof
(rules/issuance 5.3).

A caller with the handle but without the card gets and changes nothing. Each call is repeatable and returns the same response.
"""

from django.db import transaction as database

from issuance.activation.domain.card_reports import CardReport
from issuance.activation.domain.transaction_states import TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, PreparedReceipt
from issuance.activation.services import completing, fetch_app, receipts, refusals, statements, transactions, unlock_app
from issuance.activation.services.starting import Started, Texts, start
from issuance.carriers import services as _holds
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierAction
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.models import Carrier, Eid
from issuance.notices.services import notices
from issuance.records.services import steps
from siths_portal.lib import clock, faults
from siths_portal.lib.errors import Conflict, Invalid

__all__ = ["Started", "Texts", "cancel", "complete", "set_code", "start"]


def set_code(*, step_token: str) -> str:
    """Records that the holder has set the card's code: SENT → ACTIVATED_UNSIGNED. Requests the release of its certificates from
    hold.

    If the code was reported blocked, records a reset instead; the days to sign keep their start. For a card in use, records that
    it is unlocked, which completes the transaction. Returns the new state. Raises Unauthenticated, Conflict (ended, a kind
    without a new code; to unlock: clerk's role lost), IllegalTransition (a revoked card).
    """
    seen = transactions.by_token(step_token)
    if seen.kind == TransactionKind.UNLOCK:
        return unlock_app.unlock(seen)
    if seen.kind != TransactionKind.ACTIVATE:
        raise Conflict("code-not-asked-for", "Kortets kod är redan vald. Skriv under för att slutföra.")
    with database.atomic(durable=True):
        carrier, row = transactions.locked_with_carrier(seen)
        if carrier.code_blocked_at is not None:
            transactions.require_open(row)
            _reset_code(carrier, row)
        elif TransactionState(row.state) not in (TransactionState.CODE_SET, TransactionState.COMPLETED):
            transactions.require_open(row)
            _require_certified(carrier, row)
            now = clock.now()
            actor_ref, facts = transactions.holder_ref(carrier), {"transaction": str(row.pk)}
            steps.step([carrier], CarrierAction.SET_CODE, actor_ref=actor_ref, facts=facts, code_set_at=now)
            steps.step([row], TransactionAction.SET_CODE, actor_ref=actor_ref, code_set_at=now)
            if kinds.kind_of(carrier.kind).held_until_code:
                _holds.plan_release(carrier, transactions.delivery_of(row), actor_ref=actor_ref)
                notices.queue_new_eids(Eid.objects.filter(carrier=carrier, state=EidState.ORDERED.value))
            faults.point("issuance.code-set.before-commit")
    faults.point("issuance.code-set.after-commit")
    return TransactionState.CODE_SET.value


def complete(*, step_token: str, signature: bytes) -> Carrier:
    """Completes the receipt with the holder's signature and makes the card and its eIDs ACTIVE, all in one transaction. A card
    that it replaces is revoked in the same transaction. A fetched eID becomes ACTIVE by the holder's signature with its new key.

    Raises Unauthenticated, Conflict (ended, code not set, clerk's role lost, certificates or eIDs not valid), Invalid for a
    signature that the card's signing key did not make over the given attributes; too many of these end the transaction. Raises
    Unavailable, and changes nothing, until the worker has released the card's certificates from hold.
    """
    seen = transactions.by_token(step_token)
    if seen.kind == TransactionKind.FETCH:
        return fetch_app.complete(seen, signature)
    if transactions.is_statement(seen):
        return statements.sign(seen, signature)
    if seen.kind == TransactionKind.UNLOCK:
        raise Conflict("signature-not-asked-for", "Kortet låses upp utan underskrift.")
    if seen.state == TransactionState.COMPLETED:
        return completing.same_signature(seen, signature)
    transactions.require_open(seen)
    if seen.kind == TransactionKind.ACTIVATE and seen.state == TransactionState.STARTED:
        raise Conflict("code-not-set", "Kortets kod är inte vald än. Välj kod innan du skriver under.")
    _holds.await_release(seen.carrier)
    prepared = PreparedReceipt.objects.select_related("receipt_text").filter(transaction=seen).first()
    if prepared is None:  # it has ended since it was read, perhaps by a concurrent repetition of this call
        return _result_after_end(seen, signature)
    if not receipts.signature_is_valid(prepared, signature):
        message = "Underskriften är inte gjord med kortet över den kvittens som visades. Försök igen."
        raise refusals.refuse_signature(seen, Invalid("signature-invalid", message, fields={"signature": [message]}))
    try:
        signed = receipts.sign(prepared, signature)
    except receipts.NotVerified as fault:
        refusals.fail(seen, fault.code, actor_ref="system:receipts")
        raise
    faults.point("issuance.complete.before-commit")
    carrier = completing.activate(seen, prepared, signature, signed)
    faults.point("issuance.complete.after-commit")
    return carrier


def cancel(*, step_token: str) -> str:
    """Cancels the transaction from the app and returns its state. Repeatable. Raises Unauthenticated, Conflict (ended)."""
    seen = transactions.by_token(step_token)
    with database.atomic(durable=True):
        carrier, row = transactions.locked_with_carrier(seen)
        if row.state != TransactionState.CANCELLED:
            transactions.require_open(row)
            transactions.end(row, TransactionAction.CANCEL, actor_ref=transactions.holder_ref(carrier), facts={"by": "app"})
    return TransactionState.CANCELLED.value


def _reset_code(carrier: Carrier, row: EidAppTransaction) -> None:
    actor_ref, now = transactions.holder_ref(carrier), clock.now()
    facts = {"transaction": str(row.pk)}
    steps.step([carrier], CarrierAction.RESET_CODE, actor_ref=actor_ref, facts=facts, code_blocked_at=None)
    if row.state == TransactionState.STARTED:
        steps.step([row], TransactionAction.SET_CODE, actor_ref=actor_ref, code_set_at=now)
    transactions.store_report(row, CardReport.CODE_RESET)


def _require_certified(carrier: Carrier, row: EidAppTransaction) -> None:
    """Raises Conflict unless a card whose keys were made just now has its certificates, and the transaction its receipt."""
    makes_keys = kinds.kind_of(carrier.kind).makes_keys_at_activation
    if makes_keys and not PreparedReceipt.objects.filter(transaction=row).exists():
        raise Conflict("certificates-missing", "Kortets certifikat är inte klara. Begär dem innan koden rapporteras som vald.")


def _result_after_end(seen: EidAppTransaction, signature: bytes) -> Carrier:
    seen.refresh_from_db(fields=["state", "signature_sha256"])
    if seen.state != TransactionState.COMPLETED:
        transactions.require_open(seen)
    return completing.same_signature(seen, signature)
