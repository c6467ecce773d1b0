"""The start of an eID app transaction: the card in the reader proves which card it is (rules/issuance 5.3).

A caller with the handle but without the card gets and changes nothing. The call is repeatable and returns the same response.
"""

import datetime as dt
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field

from django.conf import settings
from django.db import transaction as database

from issuance.activation.domain.card_reports import CardReport
from issuance.activation.domain.transaction_states import TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, PreparedReceipt, Statement
from issuance.activation.services import (
    card_reports,
    fetch_certificates,
    fetching,
    receipt_content,
    receipts,
    refusals,
    statements,
    transactions,
    visits,
)
from issuance.activation.services.card_proofs import Proof, card_proof, is_by_another_card, own_certificates, proof_fault
from issuance.carriers.domain import kinds
from issuance.carriers.domain.references import carrier_ref
from issuance.carriers.models import Carrier
from issuance.records.services import steps
from pki import service as pki
from siths_portal.lib import clock, faults
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict, DomainError, TooManyRequests, Unauthenticated


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

    The three fields of the document are empty where the holder signs nothing, and for a card whose certificates are made later
    in the transaction. `statement` has the bytes that are signed in place of a document, by the key of the certificate (DER) with
    the SHA-256 `signing_certificate` if it is given. For an eID to fetch, `profiles` are those that the app makes new keys for,
    and `slot` is the same at each try for one order.
    """

    kind: str
    expires_at: dt.datetime
    texts: Texts
    encrypted: str = field(repr=False)
    pdf: bytes = field(default=b"", repr=False)
    byte_range: tuple[int, ...] = ()
    signed_attributes: bytes = field(default=b"", repr=False)
    statement: bytes = field(default=b"", repr=False)
    signing_certificate: str = ""
    profiles: tuple[str, ...] = ()
    slot: str = ""


_FETCHED = "Kortet får ett SITHS eID för ditt uppdrag i {organisation}. Koden är densamma."
_RENEWED = " Det ersätter det du har, som spärras när det nya finns på kortet."
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
        refusals.fail(seen, delivery.failure, actor_ref="system:delivery")
        raise _delivery_error(delivery.failure)
    if delivery.state != "ready":
        return None
    _store_token(seen, delivery.token_sha256)
    return _answer(seen, delivery.jwe)


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
def _try_to_start(
    seen: EidAppTransaction, handle: str, proof: Proof, certificates: Mapping[str, set[bytes]]
) -> DomainError | None:
    """Starts the transaction, or accepts that it was started for the same key. Returns the error of a refused proof instead of
    raising it, so that its count is committed.
    """
    carrier, row = transactions.locked_with_carrier(seen)
    _require_same_handle(row, handle)
    transactions.require_open(row)
    if fault := proof_fault(row, carrier, handle, proof, certificates):
        return _refuse_proof(row, handle, proof, fault)
    _require_officer(row, carrier)
    if row.state != TransactionState.CREATED:
        if row.ephemeral_key != dict(proof.ephemeral_key):
            return Conflict("key-mismatch", "Aktiveringen är öppnad i ett annat fönster. Fortsätt där eller öppna appen igen.")
        return None
    fits = fetching.still_fits if row.kind == TransactionKind.FETCH else transactions.still_fits
    if not fits(row, carrier) or (carrier.puk_secret_id is None and kinds.kind_of(carrier.kind).needs_puk):
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


def _require_officer(row: EidAppTransaction, carrier: Carrier) -> None:
    """Raises Conflict unless the officer may still carry out the transaction, or sign the statement, or the holder's order still
    waits.
    """
    if row.kind == TransactionKind.FETCH:
        fetching.require_waiting(fetching.order_of(row), carrier)
    elif transactions.is_statement(row):
        statements.require_signer(row)
    else:
        visits.require_officer(row, carrier)


def _refuse_proof(row: EidAppTransaction, handle: str, proof: Proof, fault: DomainError) -> DomainError:
    """Records a refused proof on the locked row, up to a bound. Somebody who stole the handle has no card, and can neither end
    the transaction nor fill the log. The clerk sees a wrong card only if another card of the portal proved itself (ADR 0090).
    """
    if row.wrong_proofs < settings.ACTIVATION_WRONG_PROOFS:
        row.wrong_proofs += 1
        row.save(update_fields=["wrong_proofs"])
        refusals.record_refusal(row, fault, row.wrong_proofs)
    if row.state == TransactionState.CREATED and is_by_another_card(row, handle, proof):
        transactions.store_report(row, CardReport.WRONG_CARD)
    return fault


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
    if not hmac.compare_digest(row.step_token_sha256, token_sha256):
        row.step_token_sha256 = token_sha256
        row.save(update_fields=["step_token_sha256"])


def _answer(seen: EidAppTransaction, jwe: str) -> Started:
    if seen.kind == TransactionKind.UNLOCK:
        return Started(kind=seen.kind, expires_at=seen.expires_at, texts=_UNLOCKING, encrypted=jwe)
    if seen.kind == TransactionKind.FETCH:
        return _answer_to_fetch(seen, jwe)
    if transactions.is_statement(seen):
        return _answer_to_officer(seen, jwe)
    prepared = PreparedReceipt.objects.filter(transaction=seen).first()
    if prepared is None:
        if not kinds.kind_of(seen.carrier.kind).makes_keys_at_activation:
            raise transactions.ended()
        return Started(kind=seen.kind, expires_at=seen.expires_at, texts=_texts_of(seen.carrier), encrypted=jwe)
    shown = receipt_content.preview(prepared.content)
    return Started(
        kind=seen.kind,
        expires_at=seen.expires_at,
        texts=_texts(shown),
        encrypted=jwe,
        pdf=bytes(prepared.pdf),
        byte_range=tuple(prepared.byte_range),
        signed_attributes=bytes(prepared.signed_attributes),
    )


def _answer_to_fetch(seen: EidAppTransaction, jwe: str) -> Started:
    order = fetching.order_of(seen)
    renews = order.replaces_id is not None
    texts = Texts(
        heading="Uppdatera SITHS eID" if renews else "Hämta extra SITHS eID",
        summary=_FETCHED.format(organisation=order.organisation.name) + (_RENEWED if renews else ""),
        terms=receipts.current_terms().text,
        regional_addition="",
        sign_message="Jag har fått SITHS eID:t på mitt kort och godkänner villkoren.",
    )
    return Started(
        kind=seen.kind,
        expires_at=seen.expires_at,
        texts=texts,
        encrypted=jwe,
        profiles=fetch_certificates.profiles_of(order),
        slot=str(order.pk),
    )


def _texts(shown: receipts.Preview) -> Texts:
    return Texts(
        heading=shown.heading,
        summary="\n\n".join(shown.summary),
        terms=receipts.terms(shown.terms_version).text,
        regional_addition=shown.regional_addition,
        sign_message=shown.sign_message,
    )


def _texts_of(carrier: Carrier) -> Texts:
    """Returns the texts for a card whose receipt is made later in the transaction, when its certificates are known."""
    addition = receipt_content.regional_addition(carrier.organisation)
    return Texts(
        heading=receipt_content.HEADING,
        summary="\n\n".join(receipt_content.SUMMARY),
        terms=receipts.current_terms().text,
        regional_addition=addition.regional_addition if addition else "",
        sign_message=receipt_content.SIGN_MESSAGE,
    )


def _answer_to_officer(seen: EidAppTransaction, jwe: str) -> Started:
    statement = Statement.objects.get(pk=seen.pk)
    purpose = statements.purpose_of(statement)
    texts = Texts(
        heading=purpose.heading,
        summary=statement.summary,
        terms="",
        regional_addition="",
        sign_message=purpose.sign_message,
    )
    chosen = statements.chosen_certificate(statement)
    signing = statements.signing_certificate(seen.carrier, chosen).der if chosen else None
    return Started(
        kind=seen.kind,
        expires_at=seen.expires_at,
        texts=texts,
        encrypted=jwe,
        statement=statements.message(statement),
        signing_certificate=sha256_hex(signing) if signing else "",
    )
