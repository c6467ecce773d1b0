"""Compares issued certificates on cards with orders and receipts, once a day, a bounded number at a time (ADR 0310).

The check before each signature prevents certificates without an order. This one finds those that bypassed that check.
"""

import datetime as dt
import time
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet

from pki.domain.profiles import PROFILES
from pki.models import CardReconciliation, Certificate, Event, ProfileVersion
from pki.ports import IssuanceCheck
from siths_portal.lib import clock, ports
from siths_portal.lib.database import locks

log = structlog.get_logger(__name__)

PERIOD = dt.timedelta(days=1)
_EARLY = dt.timedelta(hours=1)
TURN_SECONDS = 60.0
BATCH = 5000
EXAMPLES = 100
ACTOR = "system:card-reconciliation"


def run_due() -> CardReconciliation | None:
    """Continues the day's comparison for a minute. Returns it, or None if the day's comparison is finished."""
    newest = latest()
    if newest is not None and newest.ended_at is not None and clock.now() - newest.started_at < PERIOD - _EARLY:
        return None
    return run(seconds=TURN_SECONDS)


def run(*, seconds: float | None = None) -> CardReconciliation:
    """Continues an unfinished comparison, or begins one, to its end or for `seconds`. Waits for another process.

    Keeps only one batch in memory, however many certificates there are.
    """
    until = None if seconds is None else time.monotonic() + seconds
    with locks.held(locks.number("pki.card-reconciliation")):
        row = CardReconciliation.objects.filter(ended_at=None).order_by("-started_at").first()
        if row is None:
            row = CardReconciliation.objects.create(started_at=clock.now())
        while row.ended_at is None and (until is None or time.monotonic() < until):
            _compare_batch(row)
    return row


def latest() -> CardReconciliation | None:
    """Returns the newest comparison. Returns None before the first."""
    return CardReconciliation.objects.order_by("-started_at").first()


def _compare_batch(row: CardReconciliation) -> None:
    """Compares the next certificates and stores the position, with an event and an alarm for those without an order."""
    batch = dict(_issued(row.position).values_list("id", "carrier_ref")[:BATCH])
    reasons = ports.get(IssuanceCheck).without_order(batch) if batch else {}
    with transaction.atomic(durable=True):
        row.position = max(batch, default=row.position)
        row.compared += len(batch)
        row.found += len(reasons)
        new = [{"certificate": str(id_), "reason": reason} for id_, reason in sorted(reasons.items())]
        row.examples = [*row.examples, *new][:EXAMPLES]
        row.ended_at = clock.now() if len(batch) < BATCH else None
        row.save()
        _record(row, new)


def _record(row: CardReconciliation, new: list[dict[str, str]]) -> None:
    if new:
        log.error("certificates.without_order", count=len(new), first=new[0]["certificate"], reason=new[0]["reason"])
    if new or row.ended_at is not None:
        Event.record(
            actor_ref=ACTOR,
            action="card_reconciliation.alarm" if new else "card_reconciliation.completed",
            subject_type="card_reconciliation",
            subject_ref=str(row.id),
            facts={"compared": row.compared, "found": row.found, "certificates": new[:EXAMPLES]},
        )


def _issued(after: UUID | None) -> "QuerySet[Certificate]":
    """Returns certificates on cards that we issued, including revoked ones, in the order of their ids."""
    names = [name for name, profile in PROFILES.items() if profile.is_on_carrier]
    versions = list(ProfileVersion.objects.filter(name__in=names).values_list("id", flat=True))
    rows = Certificate.objects.filter(profile_version__in=versions, issued_at__isnull=False)
    return rows.filter(Q() if after is None else Q(id__gt=after)).order_by("id")
