"""The last step of an activation: with the holder's signature the card becomes active, in one transaction."""

import hmac
from collections.abc import Callable

from django.db import transaction as database

from issuance.activation.domain.transaction_states import TransactionAction, TransactionState
from issuance.activation.models import EidAppTransaction, PreparedReceipt
from issuance.activation.services import card_certificates, receipts, transactions, visits
from issuance.carriers.domain import kinds
from issuance.carriers.domain.carrier_states import CarrierAction
from issuance.carriers.domain.eid_states import EidAction, EidState
from issuance.carriers.models import Carrier, Eid, Receipt
from issuance.orders.services import replacement_checks
from issuance.records.services import steps
from pki import service as pki
from siths_portal.lib import clock
from siths_portal.lib.canonical import sha256_hex
from siths_portal.lib.errors import Conflict
from siths_portal.lib.registry import Registry

ON_ACTIVATION = Registry[Callable[[Carrier, Carrier], None]]()
"""What the packages above do when a card becomes active that replaces another one, in the same transaction: the new card, and the
replaced one, both locked."""


@database.atomic(durable=True)
def activate(seen: EidAppTransaction, prepared: PreparedReceipt, signature: bytes, signed: bytes) -> Carrier:
    """Stores the signed receipt and makes the card and its eIDs ACTIVE; packages above revoke the card that it replaces. A
    repetition returns the card. Raises Conflict (ended, clerk's role lost, certificates or eIDs not valid).
    """
    carrier, replaced = _locked_with_replaced(seen)
    ordered = Eid.objects.select_for_update(no_key=True).filter(carrier=carrier, state=EidState.ORDERED.value)
    eids = list(ordered.order_by("id"))
    row = transactions.locked(seen.pk)
    if row.state == TransactionState.COMPLETED:
        return same_signature(row, signature)
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
    if replaced is not None:
        for follow in ON_ACTIVATION:
            follow(carrier, replaced)
    return carrier


def _locked_with_replaced(seen: EidAppTransaction) -> tuple[Carrier, Carrier | None]:
    """Returns the transaction's carrier and the one that it replaces, if any, locked in the order of ids as by other services."""
    replaced_id = replacement_checks.replaced_by(seen.carrier_id)
    wanted = [pk for pk in (seen.carrier_id, replaced_id) if pk is not None]
    rows = Carrier.objects.select_for_update(of=("self",), no_key=True).filter(pk__in=wanted).order_by("id")
    found = {row.pk: row for row in rows}
    return found[seen.carrier_id], found.get(replaced_id) if replaced_id else None


def _require_as_signed(carrier: Carrier, eids: list[Eid], prepared: PreparedReceipt) -> None:
    """Raises Conflict unless the locked ordered eIDs are those that the holder signed for and all certificates are valid."""
    if sorted(eid.hsa_id for eid in eids) != sorted(each["hsa_id"] for each in prepared.content["eids"]):
        raise Conflict("eids-changed", "Kortets SITHS eID har ändrats. Be ID-administratören börja om.")
    profiles = kinds.kind_of(carrier.kind).profiles()
    views = pki.certificates(card_certificates.ids(carrier))
    in_force = [view.status == "issued" and not view.held and view.not_after > clock.now() for view in views]
    if len(views) != len(profiles) or not all(in_force):
        raise Conflict("certificates-not-in-force", "Alla certifikat på kortet är inte giltiga. Kortet kan inte aktiveras.")


def same_signature(row: EidAppTransaction, signature: bytes) -> Carrier:
    """Returns the card that the earlier call activated, if this call has the same signature."""
    if not hmac.compare_digest(row.signature_sha256, sha256_hex(signature)):
        raise Conflict("transaction-ended", "Aktiveringen är redan klar.")
    return Carrier.objects.get(pk=row.carrier_id)
