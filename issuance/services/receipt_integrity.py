"""What proves that a stored receipt is the one that its holder signed: its hashes and the sealed event of the signature."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import batched

from django.db.models import Exists, OuterRef, UUIDField
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast

from issuance.domain.carrier_states import CarrierAction
from issuance.models import Carrier, Event, EventSeal, Receipt
from siths_portal.lib import audit
from siths_portal.lib.canonical import canonical_json, sha256_hex

_CHUNK = 500
_SIGNED = f"carrier.{CarrierAction.SIGN_RECEIPT}"


@dataclass(frozen=True)
class ReceiptCheck:
    """What a walk over all receipts found: how many were compared, and the ids of those that differ or are gone."""

    checked: int
    wrong: tuple[str, ...]


def content_holds(receipt: Receipt) -> bool:
    """Returns whether the receipt's fields are those that were signed."""
    return sha256_hex(canonical_json(receipt.content)) == receipt.content_sha256


def verify_receipts() -> ReceiptCheck:
    """Compares each receipt with its own hashes and with the sealed event that recorded its signature, in flat memory.

    A receipt without an event and an event whose receipt is gone differ too. `documents.altered` compares the bytes.
    """
    checked, wrong = 0, list[str]()
    for chunk in batched(Receipt.objects.order_by("id").iterator(chunk_size=_CHUNK), _CHUNK, strict=False):
        checked += len(chunk)
        wrong += _wrong(chunk)
    return ReceiptCheck(checked, (*wrong, *_gone()))


def _wrong(receipts: Sequence[Receipt]) -> Iterator[str]:
    carriers = dict(Carrier.objects.filter(receipt__in=receipts).values_list("receipt_id", "id"))
    references = [str(carrier) for carrier in carriers.values()]
    events = list(Event.objects.filter(subject_type="carrier", subject_ref__in=references, action=_SIGNED).order_by("id"))
    broken = set(audit.disagreeing(events, EventSeal))
    facts = {(event.subject_ref, event.facts.get("receipt")): event.facts for event in events if event.id not in broken}
    for receipt in receipts:
        signed = facts.get((str(carriers.get(receipt.pk)), str(receipt.pk)), {})
        hashes = (receipt.document_id, receipt.content_sha256, str(receipt.signature_certificate_id))
        recorded = tuple(signed.get(name) for name in ("document_sha256", "content_sha256", "signature_certificate"))
        if hashes != recorded or not content_holds(receipt):
            yield str(receipt.pk)


def _gone() -> Iterator[str]:
    recorded = Cast(KeyTextTransform("receipt", OuterRef("facts")), UUIDField())
    events = Event.objects.filter(~Exists(Receipt.objects.filter(pk=recorded)), subject_type="carrier", action=_SIGNED)
    yield from (str(facts.get("receipt")) for facts in events.order_by("id").values_list("facts", flat=True).iterator())
