"""Identifications and their withdrawals, compared with the sealed events that tell of them (ADR 0331)."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import batched
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, UUIDField
from django.db.models.functions import Cast

from issuance.activation.models import Identification, IdentificationWithdrawal
from issuance.records.models.events import Event, EventSeal
from issuance.records.services.comparing import Check
from siths_portal.lib.audit import seals

_CHUNK = 500
_IDENTIFIED, _WITHDRAWN = "holder.identified", "holder.identification_withdrawn"
type _Values = Mapping[str, Any]


def verify_identifications() -> Check:
    """Compares each identification, and its withdrawal if there is one, with their events, in flat memory.

    A row without an event and an event without a row differ too. Moments that old events do not name are not compared.
    """
    checked, wrong = 0, list[str]()
    rows = Identification.objects.order_by("id").iterator(chunk_size=_CHUNK)
    for chunk in batched(rows, _CHUNK, strict=False):
        checked += len(chunk)
        wrong += _wrong(chunk)
    return Check(checked, (*wrong, *_gone()))


def _wrong(rows: Sequence[Identification]) -> Iterator[str]:
    references = [str(row.pk) for row in rows]
    found = Event.objects.filter(subject_type="identification", subject_ref__in=references, action__in=(_IDENTIFIED, _WITHDRAWN))
    events = list(found.order_by("-id"))  # of several the first counts
    broken = set(seals.disagreeing(events, EventSeal))
    told = {(event.action, UUID(event.subject_ref)): _told(event) for event in events if event.id not in broken}
    withdrawals = IdentificationWithdrawal.objects.in_bulk([row.pk for row in rows])
    for row in rows:
        values = {
            "carrier": str(row.carrier_id),
            "identity_document": row.identity_document,
            "officer": row.officer_ref,
            "identified_at": row.at.isoformat(),
        }
        withdrawn = _withdrawn(withdrawals.get(row.pk))
        if not _agrees(values, told.get((_IDENTIFIED, row.pk))) or not _agrees(withdrawn, told.get((_WITHDRAWN, row.pk))):
            yield str(row.pk)


def _withdrawn(row: IdentificationWithdrawal | None) -> _Values | None:
    if row is None:
        return None
    return {"officer": row.officer_ref, "justification": row.reason, "withdrawn_at": row.at.isoformat()}


def _told(event: Event) -> _Values:
    return {**event.facts, "officer": event.actor_ref}


def _agrees(row: _Values | None, told: _Values | None) -> bool:
    """Returns whether row and event say the same, as far as the event tells; or whether there is neither."""
    if row is None or told is None:
        return row is told
    return all(told.get(name, value) == value for name, value in row.items())


def _gone() -> Iterator[str]:
    rows = Identification.objects.filter(pk=Cast(OuterRef("subject_ref"), UUIDField()))
    events = Event.objects.filter(~Exists(rows), subject_type="identification", action=_IDENTIFIED)
    yield from events.order_by("id").values_list("subject_ref", flat=True).iterator()
