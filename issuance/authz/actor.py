"""Who acts. An actor is built for each request from rows that hold now, so that an ended role ends at once (S06)."""

import datetime as dt
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from issuance.authz.roles import ALLOWED, ISSUING, SYSTEM_ALLOWED, Action, Role

USER_PREFIX, HOLDER_PREFIX = "user:", "holder:"
"""How references of persons begin: as users of the portal, and as holders who act for themselves."""


@dataclass(frozen=True)
class Grant:
    """A role over everything below `scope_path` (`/` is all), with or without the add-on for protected persons.

    `overdue`: the holder's training or person check is, so that nothing is issued by it (ADR 0187). `since` is when the role
    began, which decides what its holder may approve; None never approves.
    """

    role: Role
    scope_path: str
    protected_persons: bool = False
    overdue: bool = False
    since: dt.datetime | None = None

    def allows(self, action: Action) -> bool:
        """True if the role has `action` and it does not rest."""
        return action in ALLOWED[self.role] and not (self.overdue and action in ISSUING)


@dataclass(frozen=True)
class Actor:
    """A person with grants, a holder who acts for themself, a registered service client, or a named rule of the system.

    `ref` is what events store.

    `extended_persons` are those whom a person found by an extended search with a reason, for as long as that lasts. `hsa_id` is
    the post that a person chose at the log-in, empty where nobody logged in; it gives no right. `issues_until` is the last day on
    which training and person check let a person issue, None without an end.
    """

    ref: str
    kind: Literal["user", "holder", "client", "system"]
    person_id: UUID | None = None
    grants: tuple[Grant, ...] = ()
    extended_persons: frozenset[UUID] = frozenset()
    hsa_id: str = ""
    issues_until: dt.date | None = None

    @property
    def client_ref(self) -> str:
        """The service client's own reference; empty for others."""
        return self.ref.removeprefix("client:") if self.kind == "client" else ""


def user(
    person_id: UUID,
    grants: tuple[Grant, ...],
    extended_persons: frozenset[UUID] = frozenset(),
    *,
    hsa_id: str = "",
    issues_until: dt.date | None = None,
) -> Actor:
    """The actor of a person who holds `grants` now, reaches `extended_persons` beside them and logged in as `hsa_id`."""
    return Actor(f"{USER_PREFIX}{person_id}", "user", person_id, grants, extended_persons, hsa_id, issues_until)


def holder(person_id: UUID) -> Actor:
    """The actor of a person who acts for themself on Mina sidor, whatever roles they have in the portal."""
    return Actor(f"{HOLDER_PREFIX}{person_id}", "holder", person_id)


def client(client_ref: str) -> Actor:
    """The actor of a registered service client, such as a card supplier. Raises ValueError if it has no name.

    An order without an owner has an empty reference, which must be nobody's.
    """
    if not client_ref:
        raise ValueError("a service client has a name")
    return Actor(f"client:{client_ref}", "client")


def system(rule: str) -> Actor:
    """The actor of a rule of the system. Raises KeyError if no such rule is registered in `roles.SYSTEM_ALLOWED`."""
    ref = f"system:{rule}"
    if ref not in SYSTEM_ALLOWED:
        raise KeyError(ref)
    return Actor(ref, "system")
