"""The limit of persons whose cards one officer revokes in an hour; more need a second officer (ADR 0297).

A revocation cannot be undone, so a single account must not be able to revoke all cards of a region. It counts persons, so that
everything of a person is one. A revocation above the limit is stored with its original received time, raises an alarm at once,
and is executed when a second officer approves it.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from issuance.activation.domain.transaction_states import TransactionAction
from issuance.activation.services import transactions
from issuance.authz import Action, Actor, policy
from issuance.carriers.domain import carrier_states
from issuance.carriers.domain.eid_states import LIVE_EIDS
from issuance.carriers.models import Carrier, Eid
from issuance.records.models.events import REVOKING_ACTIONS, Event
from issuance.records.services import two_persons
from issuance.revocation.models import HeldRevocation, HeldRevocationState
from siths_portal.lib import clock
from siths_portal.lib.database.locks import lock_until_commit
from siths_portal.lib.errors import Conflict, Invalid
from siths_portal.lib.monitoring import metrics

HOUR = dt.timedelta(hours=1)
WAITS = "revocation-waits"
"""The error code of calls refused, and the reason of transactions ended, because a revocation waits."""
_RELATED = ("carrier__organisation", "eid__organisation")
_HELD = metrics.counter("revocations_held", "Revocations above an officer's limit, which wait for a second officer")


@dataclass(frozen=True)
class RequestedRevocation:
    """A revocation as an officer requests it: all fields of `HeldRevocation` but carrier and eID."""

    reason: str
    justification: str
    received_at: dt.datetime | None
    requester: str
    requester_name: str
    channel: str


def counted(carrier: Carrier) -> UUID:
    """Returns what the limit counts for a revocation of the carrier: its holder, or the carrier itself while it has none."""
    return carrier.person_id or carrier.pk


def is_above(actor: Actor, *subjects: UUID) -> bool:
    """Returns `exceeds`. Locks the officer until the transaction ends, so that concurrent revocations cannot pass the limit."""
    if actor.kind == "user":
        lock_until_commit(f"revocations:{actor.ref}")
    return exceeds(actor, *subjects)


def exceeds(actor: Actor, *subjects: UUID) -> bool:
    """Returns whether revoking something of each of these `counted` subjects would exceed the officer's hourly limit.

    Counts distinct subjects of which the officer revoked a carrier or an eID; approvals of others' requests do not count.
    """
    if actor.kind != "user":
        return False
    most: int = settings.REVOCATIONS_PER_HOUR
    return len(_subjects_of_hour(actor).union(subjects)) > most


def _subjects_of_hour(actor: Actor) -> set[UUID]:
    since = clock.now() - HOUR
    events = Event.objects.filter(actor_ref=actor.ref, action__in=REVOKING_ACTIONS, at__gt=since)
    found = [
        (kind, UUID(ref))
        for kind, ref, facts in events.values_list("subject_type", "subject_ref", "facts")
        if "held_revocation" not in facts
    ]
    carriers = {pk for kind, pk in found if kind == "carrier"}
    eids = Eid.objects.filter(pk__in=[pk for kind, pk in found if kind == "eid"])
    carriers |= set(eids.values_list("carrier_id", flat=True))
    return {person or pk for person, pk in Carrier.objects.filter(pk__in=carriers).values_list("person_id", "pk")}


def hold(actor: Actor, requested: RequestedRevocation, carrier: Carrier, eid: Eid | None = None) -> HeldRevocation:
    """Stores the revocation of a carrier, or of one of its eIDs, as `hold_together`."""
    return hold_together(actor, requested, [(carrier, eid)])[0]


def hold_together(
    actor: Actor, requested: RequestedRevocation, subjects: Sequence[tuple[Carrier, Eid | None]]
) -> list[HeldRevocation]:
    """Stores one request for a second officer, in the caller's transaction, and counts it for the alarm.

    `subjects` are locked carriers, each as a whole or with the eID to revoke; those of which the same revocation waits already
    are left out. Ends open activations of the carriers, because a card with a waiting revocation must not be activated
    (ADR 0297). Raises Conflict if all of it waits already.
    """
    now = clock.now()
    waiting = HeldRevocation.objects.filter(carrier__in=[carrier for carrier, _ in subjects], state=HeldRevocationState.OPEN)
    already = set(waiting.values_list("carrier_id", "eid_id"))
    new = [(carrier, eid) for carrier, eid in subjects if (carrier.pk, eid.pk if eid else None) not in already]
    if not new:
        raise Conflict(WAITS, "En begäran om samma spärr väntar redan på beslut. Be en kollega att besluta den.")
    values = {**vars(requested), "reason": str(requested.reason), "received_at": requested.received_at or now}
    rows = [
        HeldRevocation(carrier=carrier, eid=eid, requested_by_ref=actor.ref, requested_at=now, **values) for carrier, eid in new
    ]
    for row in rows:
        row.request_id = rows[0].pk
    HeldRevocation.objects.bulk_create(rows)
    received = rows[0].received_at.astimezone(dt.UTC).isoformat()
    for row in rows:
        _record(actor, "revocation.held", row, held_revocation=str(row.pk), reason=row.reason, received_at=received)
    ids = sorted({carrier.pk for carrier, _ in new})
    transactions.end_of_carriers(ids, TransactionAction.FAIL, actor_ref=actor.ref, facts={"reason": WAITS})
    transaction.on_commit(_HELD.inc)
    return rows


def waits_for(carrier_id: UUID) -> bool:
    """Returns True if a revocation of the carrier, or of an eID on it, waits for a second officer."""
    return HeldRevocation.objects.filter(carrier=carrier_id, state=HeldRevocationState.OPEN).exists()


def waits_for_whole(carrier_id: UUID) -> bool:
    """Returns True if a revocation of the carrier itself, not only of an eID on it, waits for a second officer."""
    return HeldRevocation.objects.filter(carrier=carrier_id, eid=None, state=HeldRevocationState.OPEN).exists()


def activation_obstacle(carrier_id: UUID) -> Conflict | None:
    """Returns the error for activating a carrier whose revocation waits (ADR 0297), or None if no revocation waits."""
    if not waits_for(carrier_id):
        return None
    return Conflict(WAITS, "En spärr av kortet väntar på beslut. Kortet kan inte aktiveras innan en kollega har beslutat.")


def locked_open(actor: Actor, request_ids: Sequence[UUID]) -> list[HeldRevocation]:
    """Returns open rows of the requests that the actor decides as the second officer, locked with their carriers.

    Of a request for everything of a person these are the rows that the actor may revoke; the others wait for somebody else.
    Raises NotFound unless the actor may revoke something of each request, Forbidden for the actor's own requests and for a right
    newer than the request, Invalid for an empty list. Leaves out closed rows.
    """
    requested = set(request_ids)
    if not requested:
        message = "Välj minst en spärr."
        raise Invalid("held-revocation-choice", message, fields={"held": [message]})
    carriers = sorted(set(_seen(actor).filter(request_id__in=requested).values_list("carrier_id", flat=True)))
    list(Carrier.objects.select_for_update(no_key=True).filter(pk__in=carriers).order_by("pk"))
    rows = _seen(actor).select_for_update(of=("self",), no_key=True).filter(request_id__in=requested)
    held = list(rows.select_related(*_RELATED).order_by("pk"))
    if {row.request_id for row in held} != requested:
        raise policy.not_found()
    for row in held:
        two_persons.require_second(actor, **_right_to_decide(row))
    return [row for row in held if row.state == HeldRevocationState.OPEN]


def refusal(actor: Actor, row: HeldRevocation) -> str:
    """Returns the Swedish reason why the actor cannot decide the request, or an empty string if they can."""
    return two_persons.refusal(actor, **_right_to_decide(row))


def _right_to_decide(row: HeldRevocation) -> dict[str, Any]:
    """Returns the arguments of `two_persons` for the request: the right, in the organisation of its carrier or eID."""
    eid = row.eid
    return {
        "action": Action.REVOKE_EID if eid else Action.REVOKE_CARRIER,
        "path": (eid or row.carrier).organisation.scope_path,
        "requested_by": row.requested_by_ref,
        "requested_at": row.requested_at,
    }


def _seen(actor: Actor) -> QuerySet[HeldRevocation]:
    """Returns requests for carriers and eIDs that the actor may revoke."""
    carriers = Carrier.objects.visible_to(actor, Action.REVOKE_CARRIER).values("pk")
    eids = Eid.objects.visible_to(actor, Action.REVOKE_EID).values("pk")
    return HeldRevocation.objects.filter(Q(eid=None, carrier__in=carriers) | Q(eid__in=eids))


def is_moot(row: HeldRevocation) -> bool:
    """Returns True if the carrier or eID has ended in the meantime, so that nothing is left to revoke."""
    return row.carrier.state in carrier_states.INVALID or (row.eid is not None and row.eid.state not in LIVE_EIDS)


def close(actor: Actor, row: HeldRevocation, state: HeldRevocationState) -> None:
    """Writes the decision and its event, in the caller's transaction."""
    row.state, row.decided_by_ref, row.decided_at = state, actor.ref, clock.now()
    row.save(update_fields=["state", "decided_by_ref", "decided_at"])
    _record(actor, f"revocation.{state}", row, held_revocation=str(row.pk), requested_by=row.requested_by_ref)


def waiting(actor: Actor) -> QuerySet[HeldRevocation]:
    """Returns the open requests for what the actor may revoke, the oldest first."""
    rows = _seen(actor).filter(state=HeldRevocationState.OPEN).select_related("carrier__person", *_RELATED)
    return rows.order_by("requested_at", "pk")


def _record(actor: Actor, action: str, row: HeldRevocation, **facts: Any) -> None:
    kind, pk = ("eid", row.eid_id) if row.eid_id else ("carrier", row.carrier_id)
    Event.record(actor_ref=actor.ref, action=action, subject_type=kind, subject_ref=str(pk), facts=facts)
