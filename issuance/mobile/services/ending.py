"""The end of enrolments that are not completed: by the holder, by the device, or because their time is out."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction as database
from django.db.models import QuerySet

from issuance.carriers.domain.carrier_states import INVALID
from issuance.carriers.models import Carrier
from issuance.mobile.domain.states import OPEN, EnrolmentAction, EnrolmentState
from issuance.mobile.models import MobileEnrolment
from issuance.mobile.services import enrolments
from siths_portal.lib import clock
from siths_portal.lib.registry import Registry

BATCH = 200
EXPIRY = "system:expiry"

ON_ABANDONED = Registry[Callable[[Carrier], None]]()
"""What the packages above do with the locked carrier of an enrolment that is not completed, in the same transaction: its
certificates may be issued, so it is revoked."""


def abandon(row: MobileEnrolment, action: EnrolmentAction, *, actor_ref: str, facts: dict[str, Any] | None = None) -> None:
    """Ends a locked, open enrolment, and has the carrier on its device revoked."""
    enrolments.end(row, action, actor_ref=actor_ref, facts=facts)
    if row.carrier is not None and row.carrier.state not in INVALID:
        for follow in ON_ABANDONED:
            follow(row.carrier)


def end_overdue(*, batch: int = BATCH) -> int:
    """Ends enrolments whose time is out, each in its own database transaction, and returns how many. Repeatable."""
    rows = _overdue().order_by("expires_at", "id")[:batch]
    return sum(_expire(row) for row in list(rows))


def overdue_count() -> int:
    """Returns how many enrolments `end_overdue` would end."""
    return _overdue().count()


def _overdue() -> QuerySet[MobileEnrolment]:
    return MobileEnrolment.objects.filter(state__in=[state.value for state in OPEN], expires_at__lte=clock.now())


@database.atomic(durable=True)
def _expire(seen: MobileEnrolment) -> bool:
    row = enrolments.locked(seen)
    if EnrolmentState(row.state) not in OPEN or row.expires_at > clock.now():
        return False
    abandon(row, EnrolmentAction.EXPIRE, actor_ref=EXPIRY)
    return True


@database.atomic(durable=True)
def fail(enrolment_id: UUID, *, actor_ref: str, reason: str) -> None:
    """Ends an open enrolment for a fault that the app cannot cure."""
    row = enrolments.locked(MobileEnrolment.objects.get(pk=enrolment_id))
    if EnrolmentState(row.state) in OPEN:
        abandon(row, EnrolmentAction.FAIL, actor_ref=actor_ref, facts={"reason": reason})
