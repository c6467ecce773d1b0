"""Approval requests and decisions, for the approvers."""

import datetime as dt
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Prefetch, Q, QuerySet

from pki.authorities import ca_states
from pki.models import Approval, ApprovalRequest, ApprovalState, Decision
from siths_portal.lib import clock
from siths_portal.lib.errors import NotFound
from siths_portal.lib.lists import Rows

MOST_OPEN = 200
WAITING = [ApprovalState.OPEN, ApprovalState.APPROVED]


@dataclass(frozen=True)
class DecisionView:
    """One person's decision."""

    approver_ref: str
    decision: str
    justification: str
    signed: bool
    at: dt.datetime


@dataclass(frozen=True)
class ApprovalView:
    """An approval request. `state` is `expired` from the time when it may no longer be used."""

    id: UUID
    action: str
    summary: str
    document: dict[str, Any] = field(repr=False)
    document_sha256: str
    required: int
    requester_ref: str
    state: str
    created_at: dt.datetime
    expires_at: dt.datetime
    closed_at: dt.datetime | None
    decisions: tuple[DecisionView, ...]

    @property
    def approved_by(self) -> int:
        """Returns the number of approvals."""
        return sum(each.decision == Decision.APPROVED for each in self.decisions)

    @property
    def is_open(self) -> bool:
        """Returns whether decisions are accepted."""
        return self.state == ApprovalState.OPEN

    @property
    def is_waiting(self) -> bool:
        """Returns whether it can still be executed."""
        return self.state in WAITING

    def decision_of(self, ref: str) -> DecisionView | None:
        """Returns this person's decision, or None."""
        return next((each for each in self.decisions if each.approver_ref == ref), None)


def waiting_approvals() -> list[ApprovalView]:
    """Returns requests that wait for decisions or execution, the oldest first; at most MOST_OPEN."""
    rows = _rows().filter(state__in=WAITING, expires_at__gt=clock.now())
    return [_view(row) for row in rows.order_by("created_at", "id")[:MOST_OPEN]]


def waiting_count() -> int:
    """Returns the number of requests that wait for decisions."""
    return ApprovalRequest.objects.filter(state=ApprovalState.OPEN, expires_at__gt=clock.now()).count()


def closed_approvals() -> Rows[ApprovalRequest, ApprovalView]:
    """Returns closed requests. Their ids rise with time."""
    rows = _rows().exclude(state__in=WAITING, expires_at__gt=clock.now())
    return Rows(rows, lambda found: [_view(row) for row in found])


def approval(request_id: UUID) -> ApprovalView:
    """Returns one request. Raises NotFound."""
    row = _rows().filter(pk=request_id).first()
    if row is None:
        raise NotFound("approval-unknown", "Ärendet finns inte.")
    return _view(row)


def ca_state_matter(slug: str, generation: int) -> ApprovalView | None:
    """Returns the request for another state of this CA that waits for decisions or execution, or None."""
    row = _rows().filter(ca_states.waits_for(slug, generation)).order_by("-id").first()
    return _view(row) if row else None


def _rows() -> QuerySet[ApprovalRequest]:
    signed = ExpressionWrapper(Q(signature__isnull=False), output_field=BooleanField())
    decisions = Approval.objects.defer("signature", "certificate_der").annotate(is_signed=signed).order_by("at", "id")
    return ApprovalRequest.objects.prefetch_related(Prefetch("approvals", decisions, to_attr="decided"))


def _view(row: ApprovalRequest) -> ApprovalView:
    late = row.state in WAITING and row.expires_at <= clock.now()
    return ApprovalView(
        id=row.id,
        action=row.action,
        summary=row.summary,
        document=row.document,
        document_sha256=row.document_sha256,
        required=row.required,
        requester_ref=row.requester_ref,
        state=ApprovalState.EXPIRED.value if late else row.state,
        created_at=row.created_at,
        expires_at=row.expires_at,
        closed_at=row.expires_at if late else row.closed_at,
        decisions=tuple(
            DecisionView(each.approver_ref, each.decision, each.justification, each.is_signed, each.at)
            for each in row.decided  # type: ignore[attr-defined]
        ),
    )
