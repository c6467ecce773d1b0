"""Checks from the events who gave roles and recorded training (ADR 0331).

A row that agrees with its event may still come from an attacker who forged the event too. This module finds what the portal's
services never do: a global role without the decisions of two people, a role by the set-up after people had roles, and a role by a
person without the right.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import Any

from issuance.authz import Role
from issuance.authz.roles import ADMINISTRATION, GLOBAL_ROLES, RETIRED_ROLES, outranks
from issuance.roles.models.role_requests import RoleRequest, RoleRequestState
from siths_portal.lib import clock

SETUP_REF = "system:setup"
_MADE, _APPROVED = "role_request.made", "role_request.approved"
REQUEST_ACTIONS = (_MADE, _APPROVED)
_SLACK = dt.timedelta(minutes=1)
"""How long before its event an act may have read the roles that allowed it."""
_CHUNK = 500


@dataclass(frozen=True)
class RoleEvent:
    """An event of a person's roles or training."""

    xid: int
    at: dt.datetime
    action: str
    person: str
    actor: str
    facts: Mapping[str, Any]


@dataclass
class Givers:
    """Checks the events of roles in their order. `grants` are the grants after the events so far, by id."""

    grants: Mapping[str, Mapping[str, Any]]
    wrong: list[str] = field(default_factory=list)
    _global: dict[str, RoleEvent] = field(default_factory=dict)
    _of_person: dict[str, list[str]] = field(default_factory=dict)
    _requested: dict[str, RoleEvent] = field(default_factory=dict)
    _heirs: set[tuple[int, str]] = field(default_factory=set)
    _decisions: dict[tuple[str, str], str] = field(default_factory=dict)

    def check(self, event: RoleEvent) -> None:
        """Checks an event before it is applied to `grants`."""
        key, facts = event.facts.get("grant"), event.facts
        if event.action in REQUEST_ACTIONS:
            self._decisions.setdefault((event.action, str(facts.get("role_request"))), event.actor)
        elif event.action == "qualification.recorded":
            if event.actor.startswith("system:") and not self._is_fresh(event):
                self.wrong.append(f"kompetens {facts.get('qualification')} är registrerad av {event.actor}")
        elif key is not None and event.action == "role.assigned":
            self._check_assigned(key, event)
        elif key is not None and event.action == "role.changed" and self._widens(key, facts["after"]):
            self.wrong.append(f"roll {key} är utökad utan att två personer har beslutat det")
        elif event.action == "role.ended" and facts.get("role") in RETIRED_ROLES:
            self._heirs.add((event.xid, event.person))

    def _check_assigned(self, key: str, event: RoleEvent) -> None:
        role = event.facts["role"]
        if role not in RETIRED_ROLES:
            if event.actor == SETUP_REF:
                if role not in GLOBAL_ROLES or not (self._is_fresh(event) or self._inherits(event)):
                    self.wrong.append(f"roll {key} är given av {event.actor}")
            elif role in GLOBAL_ROLES:
                self._requested[key] = event
            elif role not in set(Role) or not self._may_give(event, Role(role)):
                self.wrong.append(f"roll {key} är given av {event.actor}, som inte hade rätt att ge den")
        if role in GLOBAL_ROLES:
            self._global.setdefault(key, event)
        self._of_person.setdefault(event.person, []).append(key)

    def undecided(self) -> Iterator[str]:
        """Yields errors after the last event: global roles that a person gave without a request by and approval of two others."""
        for chunk in batched(self._requested.items(), _CHUNK, strict=False):
            rows = {str(row.grant_id): row for row in RoleRequest.objects.filter(grant__in=[key for key, _event in chunk])}
            for key, event in chunk:
                if not self._is_decided(event, rows.get(key)):
                    yield f"roll {key} är global och saknar en begäran som två personer har beslutat"

    def _is_decided(self, event: RoleEvent, row: RoleRequest | None) -> bool:
        if row is None or row.state != RoleRequestState.APPROVED or row.closed_at is None:
            return False
        request_id = str(row.pk)
        people = {row.requester_ref, row.decided_by_ref, f"user:{event.person}"}
        return (
            len(people) == 3
            and event.facts.get("role_request") == request_id
            and (str(row.person_id), row.role, row.decided_by_ref) == (event.person, event.facts["role"], event.actor)
            and self._decisions.get((_MADE, request_id)) == row.requester_ref
            and self._decisions.get((_APPROVED, request_id)) == row.decided_by_ref
            and self._administers(row.requester_ref, row.created_at)
            and self._administers(row.decided_by_ref, row.created_at)
        )

    def _administers(self, reference: str, at: dt.datetime) -> bool:
        """True if the person had the right to request and decide at that moment."""
        return any(role is Role.MASTER_DATA_ADMIN for role in self._roles(reference, at))

    def _may_give(self, event: RoleEvent, role: Role) -> bool:
        if event.actor == f"user:{event.person}":
            return False
        return any(outranks(held, role) for held in self._roles(event.actor, event.at))

    def _roles(self, reference: str, at: dt.datetime) -> Iterable[Role]:
        """Yields the roles that a person held at a moment according to the events so far, including dormant roles."""
        for key in self._of_person.get(reference.removeprefix("user:"), ()) if reference.startswith("user:") else ():
            grant = self.grants.get(key, {"role": ""})
            begin, end = grant.get("valid_from"), grant.get("valid_to")
            if grant["role"] in set(Role) and (begin is None or begin <= at + _SLACK) and (end is None or end >= at - _SLACK):
                yield Role(grant["role"])

    def _is_fresh(self, event: RoleEvent) -> bool:
        """True if nobody else had a current or coming global role, apart from people appointed in the same transaction."""
        at = min(event.at, clock.now())
        return not any(end is None or end > at for end in self._ends_of_others(event, GLOBAL_ROLES))

    def _inherits(self, event: RoleEvent) -> bool:
        """True if the role replaces the earlier single administrator role, whose holders got all three roles (ADR 0295)."""
        return (event.xid, event.person) in self._heirs and not list(self._ends_of_others(event, frozenset(ADMINISTRATION)))

    def _ends_of_others(self, event: RoleEvent, roles: frozenset[Role]) -> Iterator[dt.datetime | None]:
        for key, given in self._global.items():
            if given.xid != event.xid and given.facts["role"] in roles:
                yield self.grants.get(key, {}).get("valid_to")

    def _widens(self, key: str, after: Mapping[str, Any]) -> bool:
        grant = self.grants.get(key, {})
        if grant.get("role") not in GLOBAL_ROLES:
            return False
        before, end = grant.get("valid_to"), after.get("valid_to")
        longer = before is not None and (end is None or dt.datetime.fromisoformat(end) > before)
        return longer or bool(after.get("protected_persons")) > bool(grant.get("protected_persons"))
