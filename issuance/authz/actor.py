"""Actors. Each request builds its actor from grants that are valid at that moment, so an ended role has effect at once (S06)."""

import datetime as dt
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from issuance.authz.roles import ALLOWED, ISSUING, SYSTEM_ALLOWED, Action, Role
from siths_portal.lib.database.stand_ins import StandIns

USER_PREFIX, HOLDER_PREFIX, CARD_PREFIX = "user:", "holder:", "card:"
"""Prefixes of references: for portal users, for holders who act for themselves, and for cards that name no person."""

NOBODY = UUID(int=0)
"""An id that no row has, for a query that must run also where nobody is meant."""


@dataclass(frozen=True)
class Grant:
    """A role over everything below `scope_path` (`/` is everything), with or without the add-on for protected persons.

    `overdue` means that the holder's training or person check is overdue, so the role issues nothing (ADR 0187). `since` is when
    the role began, which decides what its holder may approve; with None the holder approves nothing. `place` is the name of the
    role's organisation or area, for display, and empty for a global role; it gives no right.
    """

    role: Role
    scope_path: str
    protected_persons: bool = False
    overdue: bool = False
    since: dt.datetime | None = None
    place: str = field(default="", compare=False)

    def allows(self, action: Action) -> bool:
        """True if the role allows `action` and is not dormant for it."""
        return action in ALLOWED[self.role] and not (self.overdue and action in ISSUING)


@dataclass(frozen=True)
class Actor:
    """A person with grants, a holder who acts for themself, a card, a registered service client, or a named system rule.

    A card acts when somebody has logged in with the transport certificate of a reserve card: it sees itself and no person.

    Events store `ref`. `extended_persons` are the persons found by an extended search with a reason, until that access ends.
    `hsa_id` is the assignment that the person chose at login, empty without a login; it gives no right. `issues_until` is the
    last day on which the person's training and person check allow issuing, None without an end. `carrier_id` is the carrier that
    a card's actor is, and None for all others.
    """

    ref: str
    kind: Literal["user", "holder", "card", "client", "system"]
    person_id: UUID | None = None
    grants: tuple[Grant, ...] = ()
    extended_persons: frozenset[UUID] = frozenset()
    hsa_id: str = ""
    issues_until: dt.date | None = None
    carrier_id: UUID | None = None

    @property
    def own_id(self) -> UUID:
        """The person's id, for queries that leave out what is the actor's own; NOBODY for an actor who is no person."""
        return self.person_id or NOBODY

    @property
    def client_ref(self) -> str:
        """The service client's own reference; empty for other actors."""
        return self.ref.removeprefix("client:") if self.kind == "client" else ""

    def with_stand_ins(self, stand_ins: StandIns) -> tuple[Hashable, "Actor"]:
        """Returns what decides how a query for the actor looks, and an actor with stand-ins for what differs (`lib.prepared`).

        Roles decide it, and which of their scope paths begin with another; paths, persons and references are values.
        """
        paths = stand_ins.of_paths(grant.scope_path for grant in self.grants)
        grants = {(each.role, paths[each.scope_path], each.protected_persons, each.overdue) for each in self.grants}
        ordered = sorted(grants, key=lambda each: (each[0].value, *each[1:]))
        stand_in = Actor(
            self._reference_with_stand_in(stand_ins),
            self.kind,
            self.person_id and stand_ins.of_uuid(self.person_id),
            tuple(Grant(*each) for each in ordered),
            frozenset(stand_ins.of_list(self.extended_persons)),
            carrier_id=self.carrier_id and stand_ins.of_uuid(self.carrier_id),
        )
        rule = self.ref if self.kind == "system" else ""
        return (self.kind, rule, self.person_id is None, stand_in.grants, len(stand_in.extended_persons)), stand_in

    def _reference_with_stand_in(self, stand_ins: StandIns) -> str:
        if self.kind == "system":
            return self.ref
        if self.kind == "client":
            return stand_ins.add(f"client:{stand_ins.of_text(self.client_ref)}", self.ref)
        return stand_ins.of_text(self.ref)


def user(
    person_id: UUID,
    grants: tuple[Grant, ...],
    extended_persons: frozenset[UUID] = frozenset(),
    *,
    hsa_id: str = "",
    issues_until: dt.date | None = None,
) -> Actor:
    """Returns the actor of a person with the valid `grants`, access to `extended_persons`, and the login assignment `hsa_id`."""
    return Actor(f"{USER_PREFIX}{person_id}", "user", person_id, grants, extended_persons, hsa_id, issues_until)


def holder(person_id: UUID) -> Actor:
    """Returns the actor of a person who acts for themself on Mina sidor, regardless of their roles in the portal."""
    return Actor(f"{HOLDER_PREFIX}{person_id}", "holder", person_id)


def card(carrier_id: UUID) -> Actor:
    """Returns the actor of a card that was logged in with by its transport certificate."""
    return Actor(f"{CARD_PREFIX}{carrier_id}", "card", carrier_id=carrier_id)


def client(client_ref: str) -> Actor:
    """Returns the actor of a registered service client, such as a card supplier. Raises ValueError for an empty reference.

    An order without a supplier has an empty reference, and no client may match it.
    """
    if not client_ref:
        raise ValueError("a service client needs a reference")
    return Actor(f"client:{client_ref}", "client")


def system(rule: str) -> Actor:
    """Returns the actor of a system rule. Raises KeyError if `roles.SYSTEM_ALLOWED` does not contain it."""
    ref = f"system:{rule}"
    if ref not in SYSTEM_ALLOWED:
        raise KeyError(ref)
    return Actor(ref, "system")
