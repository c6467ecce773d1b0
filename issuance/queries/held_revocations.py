"""Revocations that wait for a second officer, as the page shows them (ADR 0297)."""

import datetime as dt
from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.domain.revocation import SWEDISH, RevocationReason
from issuance.queries import words
from issuance.queries.history import names_of
from issuance.services import revocation_limit

MOST = 200
"""Requests are listed and counted no further than this; when some are decided the others follow."""


@dataclass(frozen=True)
class HeldView:
    """A request. `refusal` says in Swedish why the reader cannot decide it; empty if they can."""

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
    """Returns what waits and the actor may revoke, the oldest first, at most MOST."""
    rows = list(revocation_limit.waiting(actor)[:MOST])
    names = names_of(actor, {row.requested_by_ref for row in rows}) if rows else {}
    return tuple(
        HeldView(
            id=row.pk,
            person_id=row.carrier.person_id,
            person=f"{row.carrier.person.surname}, {row.carrier.person.given_name_in_use}",
            what="SITHS eID" if row.eid else words.said(words.CARRIER_TYPE, row.carrier.kind),
            serial=words.card_serial(row.carrier.card_serial),
            organisation=(row.eid or row.carrier).organisation.name,
            reason=SWEDISH[RevocationReason(row.reason)],
            requested_by=names[row.requested_by_ref],
            requested_at=row.requested_at,
            received_at=row.received_at,
            refusal=revocation_limit.refusal(actor, row),
        )
        for row in rows
    )


def count_to_decide(*, actor: Actor) -> int:
    """Returns how many the actor may decide, counted to MOST; 0 without the right. One query."""
    if not policy.holds(actor, Action.REVOKE_CARRIER):
        return 0
    return sum(not revocation_limit.refusal(actor, row) for row in revocation_limit.waiting(actor)[:MOST])
