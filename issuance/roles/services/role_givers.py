"""Who may have given a role or recorded a training, judged by the events alone (ADR 0331).

A row that agrees with its event may have been written together with a forged event. What the portal's services never do is
found here: a global role without the decisions of two people, a role by the set-up when people held roles, a role by somebody
without the right.
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
"""How long before its event an act may have looked at the roles that allowed it."""
_CHUNK = 500


@dataclass(frozen=True)
class Told:
    """An event of a person's roles or trainings."""

    xid: int
    at: dt.datetime
    action: str
    person: str
    actor: str
    facts: Mapping[str, Any]


@dataclass
class Givers:
    """Judges the events of roles in their order. `grants` are the grants as the events so far leave them, by id."""

    grants: Mapping[str, Mapping[str, Any]]
    wrong: list[str] = field(default_factory=list)
    _global: dict[str, Told] = field(default_factory=dict)
    _of_person: dict[str, list[str]] = field(default_factory=dict)
    _requested: dict[str, Told] = field(default_factory=dict)
    _heirs: set[tuple[int, str]] = field(default_factory=set)
    _decisions: dict[tuple[str, str], str] = field(default_factory=dict)

    def see(self, told: Told) -> None:
        """Judges an event before it is applied to `grants`."""
        key, facts = told.facts.get("grant"), told.facts
        if told.action in REQUEST_ACTIONS:
            self._decisions.setdefault((told.action, str(facts.get("role_request"))), told.actor)
        elif told.action == "qualification.recorded":
            if told.actor.startswith("system:") and not self._is_fresh(told):
                self.wrong.append(f"kompetens {facts.get('qualification')} är registrerad av {told.actor}")
        elif key is not None and told.action == "role.assigned":
            self._see_given(key, told)
        elif key is not None and told.action == "role.changed" and self._widens(key, facts["after"]):
            self.wrong.append(f"roll {key} är utökad utan att två personer har beslutat det")
        elif told.action == "role.ended" and facts.get("role") in RETIRED_ROLES:
            self._heirs.add((told.xid, told.person))

    def _see_given(self, key: str, told: Told) -> None:
        role = told.facts["role"]
        if role not in RETIRED_ROLES:
            if told.actor == SETUP_REF:
                if role not in GLOBAL_ROLES or not (self._is_fresh(told) or self._inherits(told)):
                    self.wrong.append(f"roll {key} är given av {told.actor}")
            elif role in GLOBAL_ROLES:
                self._requested[key] = told
            elif role not in set(Role) or not self._may_give(told, Role(role)):
                self.wrong.append(f"roll {key} är given av {told.actor}, som inte hade rätt att ge den")
        if role in GLOBAL_ROLES:
            self._global.setdefault(key, told)
        self._of_person.setdefault(told.person, []).append(key)

    def undecided(self) -> Iterator[str]:
        """After the last event: global roles that a person gave without a request that two other people made and approved."""
        for chunk in batched(self._requested.items(), _CHUNK, strict=False):
            rows = {str(row.grant_id): row for row in RoleRequest.objects.filter(grant__in=[key for key, _told in chunk])}
            for key, told in chunk:
                if not self._is_decided(told, rows.get(key)):
                    yield f"roll {key} är global och saknar en begäran som två personer har beslutat"

    def _is_decided(self, told: Told, row: RoleRequest | None) -> bool:
        if row is None or row.state != RoleRequestState.APPROVED or row.closed_at is None:
            return False
        asked = str(row.pk)
        people = {row.requester_ref, row.decided_by_ref, f"user:{told.person}"}
        return (
            len(people) == 3
            and told.facts.get("role_request") == asked
            and (str(row.person_id), row.role, row.decided_by_ref) == (told.person, told.facts["role"], told.actor)
            and self._decisions.get((_MADE, asked)) == row.requester_ref
            and self._decisions.get((_APPROVED, asked)) == row.decided_by_ref
            and self._administers(row.requester_ref, row.created_at)
            and self._administers(row.decided_by_ref, row.created_at)
        )

    def _administers(self, reference: str, at: dt.datetime) -> bool:
        """Returns whether the person had the right to request and decide at that moment."""
        return any(role is Role.MASTER_DATA_ADMIN for role in self._roles(reference, at))

    def _may_give(self, told: Told, role: Role) -> bool:
        if told.actor == f"user:{told.person}":
            return False
        return any(outranks(held, role) for held in self._roles(told.actor, told.at))

    def _roles(self, reference: str, at: dt.datetime) -> Iterable[Role]:
        """The roles that a person held at a moment, as far as the events have been seen; rested ones too."""
        for key in self._of_person.get(reference.removeprefix("user:"), ()) if reference.startswith("user:") else ():
            grant = self.grants.get(key, {"role": ""})
            begin, end = grant.get("valid_from"), grant.get("valid_to")
            if grant["role"] in set(Role) and (begin is None or begin <= at + _SLACK) and (end is None or end >= at - _SLACK):
                yield Role(grant["role"])

    def _is_fresh(self, told: Told) -> bool:
        """Returns whether nobody held a global role, or was to hold one, apart from those whom the same transaction appoints."""
        at = min(told.at, clock.now())
        return not any(end is None or end > at for end in self._ends_of_others(told, GLOBAL_ROLES))

    def _inherits(self, told: Told) -> bool:
        """Returns whether the role replaces the administration's one role of before, whose holders got all three (ADR 0295)."""
        return (told.xid, told.person) in self._heirs and not list(self._ends_of_others(told, frozenset(ADMINISTRATION)))

    def _ends_of_others(self, told: Told, roles: frozenset[Role]) -> Iterator[dt.datetime | None]:
        for key, given in self._global.items():
            if given.xid != told.xid and given.facts["role"] in roles:
                yield self.grants.get(key, {}).get("valid_to")

    def _widens(self, key: str, after: Mapping[str, Any]) -> bool:
        grant = self.grants.get(key, {})
        if grant.get("role") not in GLOBAL_ROLES:
            return False
        before, end = grant.get("valid_to"), after.get("valid_to")
        longer = before is not None and (end is None or dt.datetime.fromisoformat(end) > before)
        return longer or bool(after.get("protected_persons")) > bool(grant.get("protected_persons"))
