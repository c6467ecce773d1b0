"""The eID app's side of activating or unlocking an ordinary card. There is no login: the card in the reader is the proof
(rules/issuance 5.3).

A caller with the handle but without the card gets and changes nothing. Each call is repeatable and returns the same response.
"""

import datetime as dt
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction as database

from issuance.activation.domain.card_reports import CardReport
from issuance.activation.domain.transaction_states import OPEN, TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, PreparedReceipt
from issuance.activation.services import card_reports, receipt_content, receipts, transactions, unlock_app, visits
from issuance.activation.services.card_proofs import Proof, card_proof, is_by_another_card, own_certificates, proof_fault
from issuance.carriers import services as _holds
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierAction
from issuance.carriers.domain.eid_states import EidAction, EidState
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier, CarrierCertificate, Eid, Receipt
from issuance.records.models.events import Event
from issuance.records.services import steps
from pki import service as pki
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, DomainError, Invalid, TooManyRequests, Unauthenticated


@dataclass(frozen=True)
class Texts:
    """The texts that the holder reads in the app before signing."""

    heading: str
    summary: str
    terms: str
    regional_addition: str
    sign_message: str


@dataclass(frozen=True)
class Started:
    """The response to a proven card: what to show, what to sign, and the JWE with step token and PUK for the ephemeral key.

    The three fields of the document are empty where the holder signs nothing.
    """

    kind: str
    expires_at: dt.datetime
    texts: Texts
    encrypted: str = field(repr=False)
    pdf: bytes = field(default=b"", repr=False)
    byte_range: tuple[int, ...] = ()
    signed_attributes: bytes = field(default=b"", repr=False)


_UNLOCKING = Texts(
    heading="Lås upp kortet",
    summary="Du väljer en ny legitimeringskod för kortet. Den gamla koden slutar gälla. Kortet och dina SITHS eID är desamma.",
    terms="",
    regional_addition="",
    sign_message="",
)


def start(*, handle: str, proof: Proof) -> Started | None:
    """Starts the transaction of `handle` for the proven card. Returns None while the worker has not made the JWE.

    Raises Unauthenticated for an unknown handle. Raises Conflict: `wrong-card`, `wrong-origin` and `proof-refused` (these never
    end the transaction), `key-mismatch` for another ephemeral key than the first, `officer-not-allowed`, `transaction-ended`.
    Raises TooManyRequests if the PUK was delivered too often today.
    """
    seen = _by_handle(handle)
    card_certificates = own_certificates(seen.carrier)
    try:
        refusal = _try_to_start(seen, handle, proof, card_certificates)
    except TooManyRequests:
        card_reports.record_limit(seen)
        raise
    if refusal:
        raise refusal
    faults.point("issuance.start.after-commit")
    seen.refresh_from_db(fields=["delivery_id", "expires_at"])
    delivery = pki.wait_for_delivery(transactions.delivery_of(seen), seconds=settings.EID_APP_WAIT_SECONDS)
    if delivery.state == "refused":
        _fail(seen, delivery.failure, actor_ref="system:delivery")
        raise _delivery_error(delivery.failure)
    if delivery.state != "ready":
        return None
    _store_token(seen, delivery.token_sha256)
    return _answer(seen, delivery.jwe)


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
            now = clock.now()
            actor_ref, facts = transactions.holder_ref(carrier), {"transaction": str(row.pk)}
            steps.step([carrier], CarrierAction.SET_CODE, actor_ref=actor_ref, facts=facts, code_set_at=now)
            steps.step([row], TransactionAction.SET_CODE, actor_ref=actor_ref, code_set_at=now)
            _holds.plan_release(carrier, transactions.delivery_of(row), actor_ref=actor_ref)
            faults.point("issuance.code-set.before-commit")
    faults.point("issuance.code-set.after-commit")
    return TransactionState.CODE_SET.value


def complete(*, step_token: str, signature: bytes) -> Carrier:
    """Completes the receipt with the holder's signature and makes the card and its eIDs ACTIVE, all in one transaction.

    Raises Unauthenticated, Conflict (ended, code not set, clerk's role lost, certificates or eIDs not valid), Invalid for a
    signature that the card's signing key did not make over the given attributes; too many of these end the transaction. Raises
    Unavailable, and changes nothing, until the worker has released the card's certificates from hold.
    """
    seen = transactions.by_token(step_token)
    if seen.kind == TransactionKind.UNLOCK:
        raise Conflict("signature-not-asked-for", "Kortet låses upp utan underskrift.")
    if seen.state == TransactionState.COMPLETED:
        return _same_signature(seen, signature)
    transactions.require_open(seen)
    if seen.kind == TransactionKind.ACTIVATE and seen.state == TransactionState.STARTED:
        raise Conflict("code-not-set", "Kortets kod är inte vald än. Välj kod innan du skriver under.")
    _holds.await_release(seen.carrier)
    prepared = PreparedReceipt.objects.select_related("receipt_text").filter(transaction=seen).first()
    if prepared is None:  # it has ended since it was read, perhaps by a concurrent repetition of this call
        return _result_after_end(seen, signature)
    if not receipts.signature_is_valid(prepared, signature):
        message = "Underskriften är inte gjord med kortet över den kvittens som visades. Försök igen."
        raise _refuse(seen, Invalid("signature-invalid", message, fields={"signature": [message]}))
    try:
        signed = receipts.sign(prepared, signature)
    except receipts.NotVerified as fault:
        _fail(seen, fault.code, actor_ref="system:receipts")
        raise
    faults.point("issuance.complete.before-commit")
    carrier = _activate(seen, prepared, signature, signed)
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


@database.atomic(durable=True)
def _activate(seen: EidAppTransaction, prepared: PreparedReceipt, signature: bytes, signed: bytes) -> Carrier:
    carrier = Carrier.objects.select_for_update(of=("self",), no_key=True).get(pk=seen.carrier_id)
    ordered = Eid.objects.select_for_update(no_key=True).filter(carrier=carrier, state=EidState.ORDERED.value)
    eids = list(ordered.order_by("id"))
    row = transactions.locked(seen.pk)
    if row.state == TransactionState.COMPLETED:
        return _same_signature(row, signature)
    transactions.require_open(row)
    visits.require_officer(row, carrier)
    _require_as_signed(carrier, eids, prepared)
    now, actor_ref = clock.now(), transactions.holder_ref(carrier)
    receipt: Receipt = receipts.store(row, prepared, signed, at=now)
    facts = {
        "transaction": str(row.pk),
        "receipt": str(receipt.pk),
        "document_sha256": str(receipt.document_id),
        "content_sha256": receipt.content_sha256,
        "signature_certificate": str(receipt.signature_certificate_id),
        "signed_at": receipt.signed_at.isoformat(),
        "officer": receipt.officer_ref,
        "identification": str(row.identification_id),
    }
    signed_now = {"activated_at": now, "receipt": receipt, "code_blocked_at": None}
    steps.step([carrier], CarrierAction.SIGN_RECEIPT, actor_ref=actor_ref, facts=facts, **signed_now)
    steps.step(eids, EidAction.ACTIVATE, actor_ref=actor_ref, facts={"transaction": str(row.pk)}, activated_at=now)
    row.signature_sha256 = sha256_hex(signature)
    row.save(update_fields=["signature_sha256"])
    transactions.end(row, TransactionAction.COMPLETE, actor_ref=actor_ref, facts={"receipt": str(receipt.pk)})
    return carrier


def _require_as_signed(carrier: Carrier, eids: list[Eid], prepared: PreparedReceipt) -> None:
    """Raises Conflict unless the locked ordered eIDs are those that the holder signed for and all certificates are valid."""
    if sorted(eid.hsa_id for eid in eids) != sorted(each["hsa_id"] for each in prepared.content["eids"]):
        raise Conflict("eids-changed", "Kortets SITHS eID har ändrats. Be ID-administratören börja om.")
    profiles = kinds.kind_of(carrier.kind).profiles()
    rows = CarrierCertificate.objects.filter(carrier=carrier, profile__in=profiles)
    views = pki.certificates(rows.values_list("certificate_id", flat=True))
    in_force = [view.status == "issued" and not view.held and view.not_after > clock.now() for view in views]
    if len(views) != len(profiles) or not all(in_force):
        raise Conflict("certificates-not-in-force", "Alla certifikat på kortet är inte giltiga. Kortet kan inte aktiveras.")


def _result_after_end(seen: EidAppTransaction, signature: bytes) -> Carrier:
    seen.refresh_from_db(fields=["state", "signature_sha256"])
    if seen.state != TransactionState.COMPLETED:
        transactions.require_open(seen)
    return _same_signature(seen, signature)


def _same_signature(row: EidAppTransaction, signature: bytes) -> Carrier:
    """Returns the card that the earlier call activated, if this call has the same signature."""
    if not hmac.compare_digest(row.signature_sha256, sha256_hex(signature)):
        raise Conflict("transaction-ended", "Aktiveringen är redan klar.")
    return Carrier.objects.get(pk=row.carrier_id)


def _by_handle(handle: str) -> EidAppTransaction:
    rows = EidAppTransaction.objects.select_related("carrier", "identification")
    # The lookup by the hash of 128 random bits has no timing that helps to guess a handle.
    known = transactions.is_handle(handle)
    row = rows.filter(handle_sha256=transactions.digest(handle)).first() if known else None
    if row is None:
        raise _unknown_handle()
    return row


def _require_same_handle(row: EidAppTransaction, handle: str) -> None:
    """Raises Unauthenticated if the clerk got a new handle since this one was looked up."""
    if not hmac.compare_digest(row.handle_sha256, transactions.digest(handle)):
        raise _unknown_handle()


def _unknown_handle() -> Unauthenticated:
    return Unauthenticated("handle-unknown", "Aktiveringen är okänd eller har ersatts. Öppna appen igen från portalen.")


@database.atomic(durable=True)
def _try_to_start(seen: EidAppTransaction, handle: str, proof: Proof, certificates: Mapping[str, bytes]) -> DomainError | None:
    """Starts the transaction, or accepts that it was started for the same key. Returns the error of a refused proof instead of
    raising it, so that its count is committed.
    """
    carrier, row = transactions.locked_with_carrier(seen)
    _require_same_handle(row, handle)
    transactions.require_open(row)
    if fault := proof_fault(row, carrier, handle, proof, certificates):
        return _refuse_proof(row, handle, proof, fault)
    visits.require_officer(row, carrier)
    if row.state != TransactionState.CREATED:
        if row.ephemeral_key != dict(proof.ephemeral_key):
            return Conflict("key-mismatch", "Aktiveringen är öppnad i ett annat fönster. Fortsätt där eller öppna appen igen.")
        return None
    _require_card_waits(row, carrier)
    if carrier.puk_secret_id is None:
        raise transactions.not_waiting(row)
    delivery_id = pki.plan_delivery(
        secret_id=carrier.puk_secret_id,
        proof=card_proof(row, handle, proof),
        header={"transaction": str(row.pk), "card_serial": carrier.card_serial},
        owner_ref=carrier_ref(carrier.pk),
        actor_ref=transactions.holder_ref(carrier),
        purpose=transactions.purpose(row),
    )
    now = clock.now()
    steps.step(
        [row],
        TransactionAction.START,
        actor_ref=transactions.holder_ref(carrier),
        started_at=now,
        expires_at=now + dt.timedelta(seconds=settings.ACTIVATION_STARTED_SECONDS),
        ephemeral_key=dict(proof.ephemeral_key),
        delivery_id=delivery_id,
        card_report="",
    )
    return None


def _require_card_waits(row: EidAppTransaction, carrier: Carrier) -> None:
    if not transactions.still_fits(row, carrier):
        raise transactions.not_waiting(row)


def _refuse_proof(row: EidAppTransaction, handle: str, proof: Proof, fault: DomainError) -> DomainError:
    """Records a refused proof on the locked row, up to a bound. Somebody who stole the handle has no card, and can neither end
    the transaction nor fill the log. The clerk sees a wrong card only if another card of the portal proved itself (ADR 0090).
    """
    if row.wrong_proofs < settings.ACTIVATION_WRONG_PROOFS:
        row.wrong_proofs += 1
        row.save(update_fields=["wrong_proofs"])
        _record_refusal(row, fault, row.wrong_proofs)
    if row.state == TransactionState.CREATED and is_by_another_card(row, handle, proof):
        transactions.store_report(row, CardReport.WRONG_CARD)
    return fault


def _record_refusal(row: EidAppTransaction, fault: DomainError, count: int) -> None:
    Event.record(
        actor_ref="system:eid-app",
        action="transaction.proof_refused",
        subject_type="transaction",
        subject_ref=str(row.pk),
        facts={"reason": fault.code, "count": count},
    )


@database.atomic(durable=True)
def _refuse(seen: EidAppTransaction, fault: DomainError) -> DomainError:
    """Counts a refused signature. It came from the app that proved the card, so too many end the transaction."""
    _, row = transactions.locked_with_carrier(seen)
    transactions.require_open(row)
    row.wrong_signatures += 1
    row.save(update_fields=["wrong_signatures"])
    _record_refusal(row, fault, row.wrong_signatures)
    if row.wrong_signatures >= settings.ACTIVATION_WRONG_PROOFS:
        facts = {"reason": fault.code, "wrong_signatures": row.wrong_signatures}
        transactions.end(row, TransactionAction.FAIL, actor_ref="system:wrong-proofs", facts=facts)
    return fault


@database.atomic(durable=True)
def _fail(seen: EidAppTransaction, reason: str, *, actor_ref: str) -> None:
    _, row = transactions.locked_with_carrier(seen)
    if transactions.state_now(row) in OPEN:
        transactions.end(row, TransactionAction.FAIL, actor_ref=actor_ref, facts={"reason": reason})


def _delivery_error(failure: str) -> Conflict:
    if failure == "token-unavailable":
        message = "Kortets PUK kunde inte hämtas just nu. Be ID-administratören öppna appen igen om en stund."
        return Conflict(failure, message)
    if failure == "seal-key-lost":
        message = "Kortet kan inte låsas upp nu. Spärra inte kortet. Be ID-administratören kontakta supporten."
        return Conflict(failure, message)
    if failure.startswith("proof-"):
        return Conflict("proof-refused", "Kortet kunde inte visa att det är rätt kort. Be ID-administratören öppna appen igen.")
    return Conflict("delivery-refused", "Kortets PUK kan inte lämnas ut. Spärra kortet och beställ ett nytt.")


@database.atomic(durable=True)
def _store_token(seen: EidAppTransaction, token_sha256: str) -> None:
    """Stores the hash of the step token before the app gets the token."""
    _, row = transactions.locked_with_carrier(seen)
    transactions.require_open(row)
    if row.step_token_sha256 != token_sha256:
        row.step_token_sha256 = token_sha256
        row.save(update_fields=["step_token_sha256"])


def _answer(seen: EidAppTransaction, jwe: str) -> Started:
    if seen.kind == TransactionKind.UNLOCK:
        return Started(kind=seen.kind, expires_at=seen.expires_at, texts=_UNLOCKING, encrypted=jwe)
    prepared = PreparedReceipt.objects.filter(transaction=seen).first()
    if prepared is None:
        raise transactions.ended()
    shown = receipt_content.preview(prepared.content)
    texts = Texts(
        heading=shown.heading,
        summary="\n\n".join(shown.summary),
        terms=receipts.terms(shown.terms_version).text,
        regional_addition=shown.regional_addition,
        sign_message=shown.sign_message,
    )
    return Started(
        kind=seen.kind,
        expires_at=seen.expires_at,
        texts=texts,
        encrypted=jwe,
        pdf=bytes(prepared.pdf),
        byte_range=tuple(prepared.byte_range),
        signed_attributes=bytes(prepared.signed_attributes),
    )
