"""Global roles by two persons: one administrator requests, another approves or rejects (ADR 0296).

The decider's right must be older than the request, and neither requester nor receiver decides (`two_persons`).
"""

import datetime as dt
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction

from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import GLOBAL_ROLES
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.records.services import two_persons
from issuance.roles.models.role_requests import RoleRequest, RoleRequestState
from issuance.roles.services import role_assignment
from issuance.roles.services.role_periods import ALWAYS, Period
from issuance.roles.services.subjects import subject_ref
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Forbidden, Invalid

_RIGHT = Action.ASSIGN_GLOBAL_ROLE
EXPIRY = "system:role-request-expiry"


@transaction.atomic(durable=True)
def request_role(
    *,
    actor: Actor,
    person_id: UUID,
    role: Role,
    reason: str,
    protected_persons: bool = False,
    period: Period = ALWAYS,
) -> RoleRequest:
    """Requests a global role for another person. It takes effect only when a second administrator approves it.

    Raises NotFound, Forbidden (no right, own person), Invalid (role, period, reason), Conflict if the person has the role, has no
    assignment, has died, or has an open request for the same role.
    """
    policy.require_global(actor, _RIGHT)
    if role not in GLOBAL_ROLES:
        raise Invalid("role-not-global", "Rollen ges direkt, utan begäran.")
    if not reason.strip():
        message = "Skriv varför personen behöver rollen."
        raise Invalid("role-request-reason", message, fields={"reason": [message]})
    person = _person(actor, person_id)
    role_assignment.require_may_hold(actor, person, role, protected_persons=protected_persons, period=period)
    if RoleRequest.objects.filter(person=person, role=role.value, state=RoleRequestState.OPEN).exists():
        raise Conflict("role-requested", "Rollen är redan begärd för personen och väntar på beslut.")
    now = clock.now()
    row = RoleRequest.objects.create(
        person=person,
        role=role.value,
        protected_persons=protected_persons,
        first_day=period.first,
        last_day=period.last,
        reason=reason.strip(),
        requester_ref=actor.ref,
        created_at=now,
        expires_at=now + dt.timedelta(days=settings.ROLE_REQUEST_DAYS),
    )
    _record(actor.ref, "role_request.made", row)
    return row


@transaction.atomic(durable=True)
def decide(*, actor: Actor, request_id: UUID, approve: bool, reason: str = "") -> RoleRequest:
    """Approves the request, which gives the role in the same transaction, or rejects it.

    Raises NotFound, Forbidden (`two_persons.require_second`), Invalid for a rejection without a reason, Conflict if the request
    is closed or expired, or if the role can no longer be given.
    """
    row = _locked(actor, request_id)
    _require_open(row)
    two_persons.require_second(
        actor, _RIGHT, requested_by=row.requester_ref, requested_at=row.created_at, concerned=(subject_ref(row.person_id),)
    )
    if approve:
        row.grant = role_assignment.give_approved(actor=actor, request=row)
    elif not reason.strip():
        message = "Skriv varför du avslår."
        raise Invalid("role-request-reason", message, fields={"reason": [message]})
    state = RoleRequestState.APPROVED if approve else RoleRequestState.REJECTED
    _close(row, state, decided_by=actor.ref, reason=reason.strip())
    _record(actor.ref, f"role_request.{state}", row)
    return row


@transaction.atomic(durable=True)
def withdraw(*, actor: Actor, request_id: UUID) -> RoleRequest:
    """Withdraws the actor's own request. Raises NotFound, Forbidden for another person's request, Conflict if it is closed."""
    row = _locked(actor, request_id)
    if row.requester_ref != actor.ref:
        raise Forbidden("role-request-not-yours", "Bara personen som har begärt rollen kan ta tillbaka begäran.")
    _require_open(row)
    _close(row, RoleRequestState.WITHDRAWN)
    _record(actor.ref, "role_request.withdrawn", row)
    return row


def refusal(actor: Actor, row: RoleRequest) -> str:
    """Returns why the actor cannot decide the request, in Swedish; empty if they can."""
    if row.state != RoleRequestState.OPEN or row.expires_at <= clock.now():
        return "Begäran väntar inte på beslut."
    return two_persons.refusal(
        actor, _RIGHT, requested_by=row.requester_ref, requested_at=row.created_at, concerned=(subject_ref(row.person_id),)
    )


def expire(*, dry_run: bool = False) -> int:
    """Closes requests that nobody decided in time, and returns the count."""
    overdue = RoleRequest.objects.filter(state=RoleRequestState.OPEN, expires_at__lte=clock.now())
    if dry_run:
        return overdue.count()
    with transaction.atomic(durable=True):
        rows = list(overdue.select_for_update(skip_locked=True))
        for row in rows:
            row.state, row.closed_at = RoleRequestState.EXPIRED, clock.now()
        RoleRequest.objects.bulk_update(rows, ["state", "closed_at"])
        Event.record_each(
            ((str(row.person_id), _facts(row)) for row in rows),
            at=clock.now(),
            actor_ref=EXPIRY,
            action="role_request.expired",
            subject_type="person",
        )
    return len(rows)


def _person(actor: Actor, person_id: UUID) -> Person:
    """Locks and returns the person if the actor may give them roles. Raises NotFound, Forbidden."""
    return policy.get(actor, Action.ASSIGN_ROLE, Person.objects.select_for_update(of=("self",), no_key=True), person_id)


def _locked(actor: Actor, request_id: UUID) -> RoleRequest:
    """Locks and returns the request, and locks its person.

    Raises Forbidden, and NotFound, also if the actor may not see the person.
    """
    policy.require_global(actor, _RIGHT)
    seen = Person.objects.visible_to(actor, Action.ASSIGN_ROLE)
    person_id = RoleRequest.objects.filter(pk=request_id, person__in=seen).values_list("person_id", flat=True).first()
    if person_id is None:
        raise policy.not_found()
    Person.objects.select_for_update(of=("self",), no_key=True).get(pk=person_id)
    return RoleRequest.objects.select_for_update(of=("self",), no_key=True).select_related("person").get(pk=request_id)


def _require_open(row: RoleRequest) -> None:
    if row.state != RoleRequestState.OPEN or row.expires_at <= clock.now():
        raise Conflict("role-request-closed", "Begäran väntar inte på beslut längre. Ladda om sidan.")


def _close(row: RoleRequest, state: RoleRequestState, *, decided_by: str = "", reason: str = "") -> None:
    row.state, row.closed_at, row.decided_by_ref, row.decision_reason = state, clock.now(), decided_by, reason
    row.save(update_fields=["state", "closed_at", "decided_by_ref", "decision_reason", "grant"])


def _record(actor_ref: str, action: str, row: RoleRequest) -> None:
    Event.record(actor_ref=actor_ref, action=action, subject_type="person", subject_ref=str(row.person_id), facts=_facts(row))


def _facts(row: RoleRequest) -> dict[str, Any]:
    return {
        "role_request": str(row.pk),
        "role": row.role,
        "protected_persons": row.protected_persons,
        "first_day": row.first_day.isoformat() if row.first_day else None,
        "last_day": row.last_day.isoformat() if row.last_day else None,
    }
