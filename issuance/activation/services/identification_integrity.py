"""Comparison of identifications and their withdrawals with their sealed events (ADR 0331)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, UUIDField
from django.db.models.functions import Cast

from issuance.activation.domain.identity_documents import ATTESTATION
from issuance.activation.models import Attestation, Identification, IdentificationWithdrawal
from issuance.activation.services import attesting
from issuance.records.models.events import Event, EventSeal
from issuance.records.services.comparing import Check
from siths_portal.lib.audit import seals

_CHUNK = 500
_IDENTIFIED, _WITHDRAWN = "holder.identified", "holder.identification_withdrawn"
type _Values = Mapping[str, Any]


def verify_identifications() -> Check:
    """Compares each identification and its withdrawal with their events, in constant memory. Also reports rows without an event
    and events without a row. Does not compare moments that old events do not contain.
    """
    checked, wrong = 0, list[str]()
    rows = Identification.objects.order_by("id").iterator(chunk_size=_CHUNK)
    for chunk in batched(rows, _CHUNK, strict=False):
        checked += len(chunk)
        wrong += _wrong(chunk)
    return Check(checked, (*wrong, *_missing()))


def _wrong(rows: Sequence[Identification]) -> Iterator[str]:
    references = [str(row.pk) for row in rows]
    found = Event.objects.filter(subject_type="identification", subject_ref__in=references, action__in=(_IDENTIFIED, _WITHDRAWN))
    events = list(found.order_by("-id"))  # of several events the first counts
    broken = set(seals.disagreeing(events, EventSeal))
    event_values = {(event.action, UUID(event.subject_ref)): _event_values(event) for event in events if event.id not in broken}
    withdrawals = IdentificationWithdrawal.objects.in_bulk([row.pk for row in rows])
    attestations = Attestation.objects.in_bulk([row.pk for row in rows])
    for row in rows:
        values = {
            "carrier": str(row.carrier_id),
            "identity_document": row.identity_document,
            "officer": row.officer_ref,
            "identified_at": row.at.isoformat(),
            **_attested(row, attestations.get(row.pk)),
        }
        withdrawn = _withdrawn(withdrawals.get(row.pk))
        if not _agrees(values, event_values.get((_IDENTIFIED, row.pk))) or not _agrees(
            withdrawn, event_values.get((_WITHDRAWN, row.pk))
        ):
            yield str(row.pk)


def _attested(row: Identification, attestation: Attestation | None) -> _Values:
    """Returns the facts of the attestation. One that is missing, or that nothing asked for, disagrees with every event."""
    if (row.identity_document == ATTESTATION) != (attestation is not None):
        return {"identity_document": "not as attested"}
    return attesting.facts(attestation) if attestation else {}


def _withdrawn(row: IdentificationWithdrawal | None) -> _Values | None:
    if row is None:
        return None
    return {"officer": row.officer_ref, "justification": row.reason, "withdrawn_at": row.at.isoformat()}


def _event_values(event: Event) -> _Values:
    return {**event.facts, "officer": event.actor_ref}


def _agrees(row: _Values | None, event_values: _Values | None) -> bool:
    """Returns whether row and event agree in all fields that the event has, or neither exists."""
    if row is None or event_values is None:
        return row is event_values
    return all(event_values.get(name, value) == value for name, value in row.items())


def _missing() -> Iterator[str]:
    rows = Identification.objects.filter(pk=Cast(OuterRef("subject_ref"), UUIDField()))
    events = Event.objects.filter(~Exists(rows), subject_type="identification", action=_IDENTIFIED)
    yield from events.order_by("id").values_list("subject_ref", flat=True).iterator()
