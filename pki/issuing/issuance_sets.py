"""Sets of certificates that are issued atomically, such as a card's four (rules/pki 3.3): if one fails, the others are revoked.

A set is opened in the transaction that plans its certificates and closed by a sweeper, which any worker may run at any time.
"""

from collections.abc import Sequence
from uuid import UUID

import structlog
from django.db import transaction

from pki.models import Certificate, CertificateStatus, Event, IssuanceSet, SetState
from pki.revocation.revoking import plan_revocation
from siths_portal.lib import clock

log = structlog.get_logger(__name__)

ACTOR = "system:issuance-sets"
BATCH = 500
REASON = "cessationOfOperation"


def open_set(certificate_ids: Sequence[UUID]) -> None:
    """Creates a set of planned certificates, in the caller's transaction."""
    IssuanceSet.objects.create(certificate_ids=list(certificate_ids), created_at=clock.now())


def settle() -> int:
    """Closes issued and broken sets, and revokes the other certificates of broken ones. Returns the number of closed sets."""
    closed = 0
    after = UUID(int=0)
    while True:
        with transaction.atomic(durable=True):
            waiting = IssuanceSet.objects.filter(state=SetState.OPEN, id__gt=after).order_by("id")
            sets = list(waiting.select_for_update(skip_locked=True)[:BATCH])
            if not sets:
                return closed
            closed += _close(sets)
        after = sets[-1].id


def _close(sets: list[IssuanceSet]) -> int:
    ids = [id_ for each in sets for id_ in each.certificate_ids]
    rows = Certificate.objects.filter(id__in=ids).values_list("id", "status", "issued_at")
    # A certificate that was issued and revoked later does not break its set: the holder may revoke one at any time.
    outcomes = {id_: _outcome(status, issued_at is not None) for id_, status, issued_at in rows}
    by_state: dict[SetState, list[IssuanceSet]] = {SetState.WHOLE: [], SetState.BROKEN: []}
    for each in sets:
        state = _state([outcomes.get(id_, SetState.BROKEN) for id_ in each.certificate_ids])
        if state != SetState.OPEN:
            by_state[state].append(each)
    now = clock.now()
    for state, closing in by_state.items():
        IssuanceSet.objects.filter(id__in=[each.id for each in closing]).update(state=state, closed_at=now)
    _revoke_rest(by_state[SetState.BROKEN])
    return sum(map(len, by_state.values()))


def _outcome(status: str, was_issued: bool) -> SetState:
    if was_issued:
        return SetState.WHOLE
    return SetState.OPEN if status == CertificateStatus.RESERVED else SetState.BROKEN


def _state(outcomes: list[SetState]) -> SetState:
    for state in (SetState.BROKEN, SetState.OPEN):
        if state in outcomes:
            return state
    return SetState.WHOLE


def _revoke_rest(broken: list[IssuanceSet]) -> None:
    """Revokes every certificate of the broken sets that is not revoked yet; one that was never signed stays failed."""
    if not broken:
        return
    log.error("issuance_set.broken", count=len(broken))
    plan_revocation(
        [id_ for each in broken for id_ in each.certificate_ids],
        reason=REASON,
        actor_ref=ACTOR,
        received_at=clock.now(),
        channel="system",
        justification="Another certificate of the same set was not issued.",
    )
    Event.objects.bulk_create(
        Event(
            at=clock.now(),
            actor_ref=ACTOR,
            action="issuance_set.broken",
            subject_type="issuance_set",
            subject_ref=str(each.id),
            facts={"certificates": [str(id_) for id_ in each.certificate_ids]},
        )
        for each in broken
    )
