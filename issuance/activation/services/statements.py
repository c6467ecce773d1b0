"""Statements that officers and holders sign with their own cards, in eID app transactions of kind `sign` (rules/issuance 5.7).

A package above declares what a statement is about (`Purpose`): who may sign it, and what follows from the signature. The card's
person-id key makes the signature, so that it names the person and no assignment. A reserve card has no such key and signs by its
HSA-id key. The `pki` worker verifies it again by itself.
"""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from cryptography import x509
from django.db import transaction as database

from issuance.activation.domain import own_unlocking
from issuance.activation.domain.transaction_states import OPEN, TransactionAction, TransactionKind, TransactionState
from issuance.activation.models import EidAppTransaction, Statement
from issuance.activation.services import refusals, transactions, visits
from issuance.activation.services.visits import Opened
from issuance.authz import Actor
from issuance.carriers.domain.carrier_states import CarrierState
from issuance.carriers.domain.eid_states import EidState
from issuance.carriers.domain.kinds import ORDINARY_CARD
from issuance.carriers.models import Carrier, CarrierCertificate
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.certificates import signatures
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound
from siths_portal.lib.ids import new_id
from siths_portal.lib.registry import Registry

SIGNING_PROFILE = "person-id-sign"
_LEVEL = 3


@dataclass(frozen=True)
class Purpose:
    """What statements of a purpose are about. `require_signer` raises Conflict unless the officer may still sign the statement.

    `signed` acts on the signed statement, in the transaction that stores the signature. `certificate` returns the id in `pki` of
    the certificate whose key signs; without it the card's own key for signatures does. All get the statement. `heading` and
    `sign_message` are what the app shows above and below the statement's summary.
    """

    name: str
    require_signer: Callable[[Statement], None]
    signed: Callable[[Statement], None]
    certificate: Callable[[Statement], UUID] | None = None
    heading: str = "Skriv under med ditt eget kort"
    sign_message: str = "Jag skriver under uppgifterna ovan."


PURPOSES = Registry[Purpose]()
"""The purposes of statements. Packages above register them."""


def message(statement: Statement) -> bytes:
    """Returns the bytes that the officer's card signs."""
    return canonical_json(statement.content)


def own_card(actor: Actor) -> Carrier:
    """Returns the officer's newest active card on level 3. Raises Conflict if they have no such card."""
    rows = Carrier.objects.filter(
        person=actor.person_id,
        kind=ORDINARY_CARD.code,
        origin="portal",
        state=CarrierState.ACTIVE.value,
        assurance_level=_LEVEL,
        valid_to__gt=clock.now(),
    )
    found = rows.exclude(card_serial="").order_by("-activated_at", "-id").first()
    if found is None:
        text = "Du behöver ett aktivt SITHS-kort på tillitsnivå 3 för att skriva under. Be en kollega beställa ett åt dig."
        raise Conflict("officer-without-card", text)
    return found


def open_for(
    actor: Actor,
    purpose: str,
    subject_ref: UUID,
    content: Mapping[str, Any],
    summary: str,
    *,
    card: Carrier | None = None,
    origin: str = "",
) -> Opened:
    """Opens a transaction in which `actor` signs `content` with their own card, in the caller's transaction.

    `card` is one of the actor's, by default their newest on level 3. The transaction supersedes what is open for that card.
    `origin` is that of the site that shows the handle, by default the portal's.
    Raises Conflict if the actor has no card, or if another errand of the card is under way.
    """
    carrier = Carrier.objects.select_for_update(of=("self",), no_key=True).get(pk=(card or own_card(actor)).pk)
    visits.supersede_earlier(actor, carrier)
    row, handle = transactions.begin(
        TransactionKind.SIGN, carrier, None, officer_ref=actor.ref, transaction_id=new_id(), origin=origin
    )
    Statement.objects.create(transaction=row, purpose=purpose, subject_ref=subject_ref, content=dict(content), summary=summary)
    return Opened(row, handle)


def seen(actor: Actor, transaction_id: UUID, purpose: str) -> Statement:
    """Returns a statement that `actor` opened, with its transaction and card. Raises NotFound for anybody else's."""
    rows = Statement.objects.select_related("transaction__carrier__person")
    found = rows.filter(pk=transaction_id, purpose=purpose, transaction__officer_ref=actor.ref).first()
    if found is None:
        raise NotFound("not-found", "Underskriften finns inte.")
    return found


def renew(actor: Actor, transaction_id: UUID, purpose: str) -> Opened:
    """Returns a new handle for a statement of `actor` that waits for the app. Raises NotFound, Conflict if it no longer waits."""
    found = seen(actor, transaction_id, purpose)
    with database.atomic(durable=True):
        _, row = transactions.locked_with_carrier(found.transaction)
        transactions.require_open(row)
        if row.state != TransactionState.CREATED:
            raise Conflict("statement-under-way", "Appen är redan öppnad. Fortsätt i den, eller avbryt och börja om.")
        return visits.give_handle(actor, row)


@database.atomic(durable=True)
def cancel(actor: Actor, transaction_id: UUID, purpose: str) -> Statement:
    """Cancels a statement of `actor` that is not signed; a signed one stays as it is. Raises NotFound."""
    found = seen(actor, transaction_id, purpose)
    _, row = transactions.locked_with_carrier(found.transaction)
    if TransactionState(row.state) in OPEN:
        transactions.end(row, TransactionAction.CANCEL, actor_ref=actor.ref, facts={"by": "clerk"})
    return found


def require_signer(row: EidAppTransaction) -> None:
    """Raises Conflict unless the officer may still sign the transaction's statement."""
    statement = Statement.objects.get(pk=row.pk)
    try:
        purpose_of(statement).require_signer(statement)
    except (Forbidden, NotFound):
        text = "Du har inte längre behörighet att skriva under. Gå tillbaka till portalen."
        raise Conflict("officer-not-allowed", text) from None


def sign(seen: EidAppTransaction, signature: bytes) -> Carrier:
    """Stores the officer's signature and what follows from it, in one transaction. Returns the officer's card. Repeatable.

    Raises Conflict (ended, right lost, certificate not valid, what the purpose refuses), Invalid for a wrong signature; too many
    of these end the transaction.
    """
    statement = Statement.objects.get(pk=seen.pk)
    if seen.state != TransactionState.COMPLETED:
        transactions.require_open(seen)
        if not _is_signed(statement, seen.carrier, signature):
            fault = "Underskriften är inte gjord med ditt kort över uppgifterna som visades. Försök igen."
            error = Invalid("signature-invalid", fault, fields={"signature": [fault]})
            raise refusals.refuse_signature(seen, error)
    return _store(seen, signature)


@database.atomic(durable=True)
def _store(seen: EidAppTransaction, signature: bytes) -> Carrier:
    carrier, row = transactions.locked_with_carrier(seen)
    if row.state == TransactionState.COMPLETED:
        if not hmac.compare_digest(row.signature_sha256, sha256_hex(signature)):
            raise Conflict("transaction-ended", "Underskriften är redan klar.")
        return carrier
    transactions.require_open(row)
    require_signer(row)
    statement = Statement.objects.select_for_update(of=("self",)).select_related("transaction").get(pk=row.pk)
    statement.signature, statement.signed_at = signature, clock.now()
    statement.certificate_id = signing_certificate(carrier, chosen_certificate(statement)).id
    statement.save(update_fields=["signature", "signed_at", "certificate_id"])
    row.signature_sha256 = sha256_hex(signature)
    row.save(update_fields=["signature_sha256"])
    facts = {"content_sha256": sha256_hex(message(statement)), "signature_certificate": str(statement.certificate_id)}
    transactions.end(row, TransactionAction.COMPLETE, actor_ref=row.officer_ref, facts=facts)
    purpose_of(statement).signed(statement)
    return carrier


def signature_fault(statement: Statement, certificate: pki.CertificateView | None) -> str:
    """Returns why the statement's signature does not count, or "". `certificate` is the one that it names."""
    if certificate is None or certificate.der is None or certificate.status != "issued" or certificate.held:
        return "certificate-not-in-force"
    key = x509.load_der_x509_certificate(certificate.der).public_key()
    return "" if signatures.is_valid(key, bytes(statement.signature), message(statement)) else "signature"


def _is_signed(statement: Statement, carrier: Carrier, signature: bytes) -> bool:
    certificate = signing_certificate(carrier, chosen_certificate(statement))
    key = x509.load_der_x509_certificate(certificate.der or b"").public_key()
    return signatures.is_valid(key, signature, message(statement))


def chosen_certificate(statement: Statement) -> UUID | None:
    """Returns the id in `pki` of the certificate that the purpose has sign, or None for the card's own key for signatures."""
    chosen = purpose_of(statement).certificate
    return chosen(statement) if chosen else None


def signing_certificate(carrier: Carrier, chosen: UUID | None = None) -> pki.CertificateView:
    """Returns the certificate of the carrier that signs: the chosen one, or that of its key for signatures.

    Raises Conflict unless it is in force.
    """
    rows = CarrierCertificate.objects.filter(carrier=carrier)
    rows = rows.filter(pk=chosen) if chosen else rows.filter(profile=own_unlocking.PROFILES[carrier.kind])
    rows = rows.exclude(made_with__state=EidState.ORDERED.value)  # made and not on the card yet
    views = pki.certificates(rows.values_list("certificate_id", flat=True))
    found = next((view for view in views if view.status == "issued" and not view.held and view.not_after > clock.now()), None)
    if found is None:
        raise Conflict("certificate-not-in-force", "Kortets certifikat är spärrat eller gäller inte längre.")
    return found


def purpose_of(statement: Statement) -> Purpose:
    """Returns the declaration of the statement's purpose."""
    return next(each for each in PURPOSES if each.name == statement.purpose)
