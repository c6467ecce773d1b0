"""Requests for global roles for pages: open ones, closed ones, and a single one (ADR 0296)."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from issuance.authz import Action, Actor, policy
from issuance.people.models.persons import Person
from issuance.records.queries.history import names_of
from issuance.roles.models.role_requests import RoleRequest, RoleRequestState
from issuance.roles.queries import role_words
from issuance.roles.services import role_requests as service
from siths_portal.lib import clock
from siths_portal.lib.database.rows import the_only
from siths_portal.lib.lists import Rows

MOST = 100
"""The limit to which open requests are listed and counted."""

STATE: Mapping[str, tuple[str, str]] = {
    RoleRequestState.OPEN: ("sent", _("Väntar på beslut")),
    RoleRequestState.APPROVED: ("active", _("Godkänd")),
    RoleRequestState.REJECTED: ("failed", _("Avslagen")),
    RoleRequestState.WITHDRAWN: ("cancelled", _("Återtagen")),
    RoleRequestState.EXPIRED: ("expired", _("Utgången utan beslut")),
}
"""Kind and text of the tag for the state of a request."""


@dataclass(frozen=True)
class RequestView:
    """A request. `refusal` is the Swedish reason why the reader cannot decide it, empty if they can.

    `mine` marks the reader's own.
    """

    id: UUID
    person_id: UUID
    person: str
    role: str
    role_code: str
    protected_persons: bool
    first_day: dt.date | None
    last_day: dt.date | None
    reason: str
    requester: str
    created_at: dt.datetime
    expires_at: dt.datetime
    kind: str
    state: str
    is_open: bool
    closed_at: dt.datetime | None
    decided_by: str
    decision_reason: str
    refusal: str
    mine: bool


def waiting(*, actor: Actor) -> tuple[RequestView, ...]:
    """Returns the open requests for persons whom the actor may give roles, the oldest first. Raises Forbidden."""
    return _views(actor, _seen(actor).filter(**_open()).order_by("created_at", "pk")[:MOST])


def closed(*, actor: Actor) -> Rows[RoleRequest, RequestView]:
    """Returns the closed requests. Raises Forbidden."""
    return Rows(_seen(actor).exclude(**_open()), lambda found: _views(actor, found))


def of_person(*, actor: Actor, person_id: UUID) -> tuple[RequestView, ...]:
    """Returns the open requests for a person, the oldest first; empty for actors who may not see requests."""
    if not policy.holds(actor, Action.ASSIGN_GLOBAL_ROLE):
        return ()
    return _views(actor, _seen(actor).filter(**_open(), person=person_id).order_by("created_at", "pk"))


def one(*, actor: Actor, request_id: UUID) -> RequestView:
    """Returns one request. Raises NotFound, also if the actor may not see its person, and Forbidden."""
    row = the_only(_seen(actor).filter(pk=request_id))
    if row is None:
        raise policy.not_found()
    return _views(actor, [row])[0]


def count_to_decide(*, actor: Actor) -> int:
    """Returns how many open requests the actor may decide, up to MOST; 0 without the right. One query."""
    if not policy.holds(actor, Action.ASSIGN_GLOBAL_ROLE):
        return 0
    return sum(not service.refusal(actor, row) for row in _seen(actor).filter(**_open()).order_by("created_at", "pk")[:MOST])


def _open() -> dict[str, object]:
    return {"state": RoleRequestState.OPEN, "expires_at__gt": clock.now()}


def _seen(actor: Actor) -> QuerySet[RoleRequest]:
    policy.require_global(actor, Action.ASSIGN_GLOBAL_ROLE)
    people = Person.objects.visible_to(actor, Action.ASSIGN_ROLE)
    return RoleRequest.objects.filter(person__in=people).select_related("person")


def _views(actor: Actor, rows: Sequence[RoleRequest] | QuerySet[RoleRequest]) -> tuple[RequestView, ...]:
    rows = list(rows)
    names = names_of(actor, {ref for row in rows for ref in (row.requester_ref, row.decided_by_ref) if ref}) if rows else {}
    return tuple(_view(actor, row, names) for row in rows)


def _view(actor: Actor, row: RoleRequest, names: Mapping[str, str]) -> RequestView:
    overdue = row.state == RoleRequestState.OPEN and row.expires_at <= clock.now()
    kind, text = STATE[RoleRequestState.EXPIRED if overdue else row.state]
    return RequestView(
        id=row.pk,
        person_id=row.person_id,
        person=f"{row.person.surname}, {row.person.given_name_in_use}",
        role=role_words.name(row.role),
        role_code=row.role,
        protected_persons=row.protected_persons,
        first_day=row.first_day,
        last_day=row.last_day,
        reason=row.reason,
        requester=names[row.requester_ref],
        created_at=row.created_at,
        expires_at=row.expires_at,
        kind=kind,
        state=gettext(text),
        is_open=row.state == RoleRequestState.OPEN and not overdue,
        closed_at=row.closed_at or (row.expires_at if overdue else None),
        decided_by=names.get(row.decided_by_ref, ""),
        decision_reason=row.decision_reason,
        refusal=service.refusal(actor, row),
        mine=row.requester_ref == actor.ref,
    )
