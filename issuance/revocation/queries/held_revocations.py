"""Revocations that wait for a second officer, as the page shows them (ADR 0297)."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q, QuerySet

from issuance.authz import Action, Actor, policy
from issuance.records.domain import wording
from issuance.records.queries import words
from issuance.records.queries.history import names_of
from issuance.revocation.domain import SWEDISH, RevocationReason
from issuance.revocation.models import HeldRevocation, HeldRevocationState
from issuance.revocation.services import revocation_limit
from siths_portal.lib.database.prepared import prepared

MOST = 200
"""The page lists and counts at most this many requests; decisions make room for the others."""


@dataclass(frozen=True)
class HeldView:
    """A request. `refusal` is the Swedish reason why the reader cannot decide it, or empty if they can."""

    id: UUID
    person_id: UUID
    person: str
    what: str
    serial: str
    organisation: str
    reason: str
    requested_by: str
    requested_at: dt.datetime
    received_at: dt.datetime
    refusal: str


def waiting(*, actor: Actor) -> tuple[HeldView, ...]:
    """Returns the open requests for what the actor may revoke, the oldest first, at most MOST."""
    rows = _waiting(actor)
    names = names_of(actor, {row.requested_by_ref for row in rows}) if rows else {}
    return tuple(
        HeldView(
            id=row.pk,
            person_id=row.carrier.holder_id,
            person=f"{row.carrier.holder.surname}, {row.carrier.holder.given_name_in_use}",
            what="SITHS eID" if row.eid else words.carrier_type(row.carrier.kind),
            serial=wording.card_serial(row.carrier.card_serial),
            organisation=(row.eid or row.carrier).organisation.name,
            reason=SWEDISH[RevocationReason(row.reason)],
            requested_by=names[row.requested_by_ref],
            requested_at=row.requested_at,
            received_at=row.received_at,
            refusal=revocation_limit.refusal(actor, row),
        )
        for row in rows
    )


@prepared
def _waiting(actor: Actor) -> QuerySet[HeldRevocation]:
    return revocation_limit.waiting(actor)[:MOST]


@dataclass(frozen=True)
class HeldNotice:
    """A waiting revocation of the carrier, or of the eID `eid_id` on it, with the requester and the time."""

    carrier_id: UUID
    eid_id: UUID | None
    requested_by: str
    requested_at: dt.datetime


def notices(*, actor: Actor, carrier_ids: Collection[UUID], eid_ids: Collection[UUID]) -> dict[UUID, list[HeldNotice]]:
    """Returns the open requests for these carriers and eIDs, which the actor sees, by carrier, the oldest first."""
    if not carrier_ids:
        return {}
    concerned = Q(eid=None) | Q(eid__in=eid_ids)
    rows = HeldRevocation.objects.filter(concerned, carrier__in=carrier_ids, state=HeldRevocationState.OPEN)
    found = list(rows.order_by("requested_at", "pk"))
    names = names_of(actor, {row.requested_by_ref for row in found}) if found else {}
    by_carrier: dict[UUID, list[HeldNotice]] = {}
    for row in found:
        notice = HeldNotice(row.carrier_id, row.eid_id, names[row.requested_by_ref], row.requested_at)
        by_carrier.setdefault(row.carrier_id, []).append(notice)
    return by_carrier


def repeated(*, actor: Actor, carrier_id: UUID, eid_id: UUID | None) -> HeldNotice | None:
    """Returns the open request for this revocation if the actor could only make the same request again, else None."""
    found = notices(actor=actor, carrier_ids=[carrier_id], eid_ids=[eid_id] if eid_id else [])
    same = next((each for each in found.get(carrier_id, []) if each.eid_id == eid_id), None)
    return same if same and revocation_limit.exceeds(actor, carrier_id) else None


def count_to_decide(*, actor: Actor) -> int:
    """Returns how many requests the actor may decide, at most MOST, and 0 without the right. Runs one query."""
    if not policy.holds(actor, Action.REVOKE_CARRIER):
        return 0
    return sum(not revocation_limit.refusal(actor, row) for row in _waiting(actor))
