"""The evidence that a stored receipt is the signed one: its hashes, and the sealed event of the signature."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import batched
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, UUIDField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from issuance.carriers.domain.carrier_states import CarrierAction
from issuance.carriers.models import Carrier, Receipt
from issuance.records.models.events import Event, EventSeal
from issuance.records.services.comparing import Check
from siths_portal.lib.audit import seals
from siths_portal.lib.canonical import canonical_json, sha256_hex

_CHUNK = 500
_SIGNED = f"carrier.{CarrierAction.SIGN_RECEIPT}"


@dataclass(frozen=True)
class Signature:
    """The recorded facts of a signature: the moment, and the clerk who had identified the holder."""

    at: dt.datetime
    officer_ref: str


def signature_of(carrier_id: UUID, receipt: Receipt) -> Signature | None:
    """Returns the facts in the event of the receipt's signature, or None unless the receipt is the signed one. Events of older
    versions lack moment and clerk; then the event's own time and the receipt's column are used.
    """
    events = Event.objects.filter(
        subject_type="carrier", subject_ref=str(carrier_id), action=_SIGNED, facts__receipt=str(receipt.pk)
    )
    event = events.order_by("id").first()
    if event is None or not _is_signed(receipt, event.facts):
        return None
    recorded_at = event.facts.get("signed_at")
    at = dt.datetime.fromisoformat(recorded_at) if recorded_at else event.at
    return Signature(at, event.facts.get("officer", receipt.officer_ref))


def verify_receipts() -> Check:
    """Compares each receipt with its own hashes and with the sealed event of its signature, in constant memory.

    Also compares columns that repeat signed fields. A receipt without an event and an event without its receipt differ.
    `documents.altered` compares the bytes.
    """
    checked, wrong = 0, list[str]()
    rows = Receipt.objects.select_related("receipt_text").order_by("id").iterator(chunk_size=_CHUNK)
    for chunk in batched(rows, _CHUNK, strict=False):
        checked += len(chunk)
        wrong += _wrong(chunk)
    return Check(checked, (*wrong, *_missing()))


def _wrong(receipts: Sequence[Receipt]) -> Iterator[str]:
    # By the signed serial number: a reserve card that is activated again has the newest of its receipts only.
    serials = {receipt.pk: receipt.content["carrier"]["card_serial"] for receipt in receipts}
    by_serial = dict(Carrier.objects.filter(card_serial__in=serials.values()).values_list("card_serial", "id"))
    carriers = {receipt.pk: by_serial.get(serials[receipt.pk]) for receipt in receipts}
    references = [str(carrier) for carrier in carriers.values()]
    events = list(Event.objects.filter(subject_type="carrier", subject_ref__in=references, action=_SIGNED).order_by("id"))
    broken = set(seals.disagreeing(events, EventSeal))
    facts = {(event.subject_ref, event.facts.get("receipt")): event.facts for event in events if event.id not in broken}
    for receipt in receipts:
        signed = facts.get((str(carriers.get(receipt.pk)), str(receipt.pk)), {})
        if not _is_signed(receipt, signed) or not _columns_hold(receipt, signed):
            yield str(receipt.pk)


def _is_signed(receipt: Receipt, facts: Mapping[str, Any]) -> bool:
    """Returns whether the receipt's hashes are those of the event and match its fields."""
    hashes = (receipt.document_id, receipt.content_sha256, str(receipt.signature_certificate_id))
    recorded = tuple(facts.get(name) for name in ("document_sha256", "content_sha256", "signature_certificate"))
    return hashes == recorded and sha256_hex(canonical_json(receipt.content)) == receipt.content_sha256


def _columns_hold(receipt: Receipt, facts: Mapping[str, Any]) -> bool:
    """Returns whether the columns of a signed receipt agree with its fields and its event."""
    content, text = receipt.content, receipt.receipt_text
    terms, addition = content["terms"], content["regional_addition"]
    return (
        receipt.identity_document == content["identification"]["document"]
        and (receipt.terms_version, receipt.terms_sha256) == (terms["version"], terms["sha256"])
        and (addition["version"] if addition else None) == (text.version if text and text.regional_addition.strip() else None)
        and facts.get("officer", receipt.officer_ref) == receipt.officer_ref
        and facts.get("signed_at", receipt.signed_at.isoformat()) == receipt.signed_at.isoformat()
    )


def _missing() -> Iterator[str]:
    recorded = Cast(KeyTextTransform("receipt", OuterRef("facts")), UUIDField())
    events = Event.objects.filter(~Exists(Receipt.objects.filter(pk=recorded)), subject_type="carrier", action=_SIGNED)
    yield from (str(facts.get("receipt")) for facts in events.order_by("id").values_list("facts", flat=True).iterator())
