"""Ends a clerk's unfinished work when their role has expired. No user acts at that moment, so a sweeper does it (S06)."""

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from django.db import transaction
from django.db.models import Max

from issuance.authz import Actor
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock
from siths_portal.lib.registry import Registry

_RULE = "system:role-ended"
_USER = "user:"


class End(Protocol):
    """Ends the unfinished work that the roles of `officer` no longer cover, in the caller's transaction. Returns the count."""

    def __call__(self, officer: Actor, *, actor_ref: str) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class UnderWay:
    """A kind of unfinished work that ends with the role that allowed it.

    `oldest` returns the clerks' references, each with the time when their oldest unfinished item began, in one query. `at_once`
    means that it ends as soon as a role is ended or restricted; otherwise only the sweeper ends it.
    """

    oldest: Callable[[], Iterable[tuple[str, dt.datetime]]]
    end: End
    at_once: bool


UNDER_WAY = Registry[UnderWay]()
"""The kinds that the packages above register."""


def sweep(*, dry_run: bool = False) -> int:
    """Fails activations and discards order drafts that no role of their clerk covers any more, with events.

    It uses one transaction per clerk and is idempotent. Overdue training ends nothing. Returns the count; `dry_run` only counts.
    """
    return sum(_end(person_id, dry_run=dry_run) for person_id in _holders())


def _holders() -> list[UUID]:
    """Returns clerks with unfinished work who have lost a role since it began."""
    begun = _begun()
    ended = RoleGrant.objects.filter(person__in=begun, valid_to__lte=clock.now()).values_list("person_id")
    return sorted(person_id for person_id, last in ended.annotate(last=Max("valid_to")) if last >= begun[person_id])


def with_something_under_way() -> set[UUID]:
    """Returns the people with unfinished work, such as an activation or an order draft. One query for each kind."""
    return set(_begun())


def _begun() -> dict[UUID, dt.datetime]:
    """Returns the people with unfinished work, and when their oldest item began."""
    begun: dict[UUID, dt.datetime] = {}
    for ref, at in (found for kind in UNDER_WAY for found in kind.oldest()):
        if ref.startswith(_USER):
            person_id = UUID(ref.removeprefix(_USER))
            begun[person_id] = min(at, begun.get(person_id, at))
    return begun


def _end(person_id: UUID, *, dry_run: bool) -> int:
    with transaction.atomic(durable=True):
        ended = end_of_clerk(person_id)
        if dry_run:
            transaction.set_rollback(True)
    return ended


def end_of_clerk(person_id: UUID) -> int:
    """Does the work of `sweep` for one clerk, in the caller's transaction, and returns the count."""
    officer = _as_if_trained(actor_of_person(person_id))
    return sum(kind.end(officer, actor_ref=_RULE) for kind in UNDER_WAY)


def end_at_once(person_id: UUID, *, actor_ref: str) -> None:
    """Ends work that must not outlast a role that `actor_ref` has just ended or restricted, in the caller's transaction."""
    officer = actor_of_person(person_id)
    for kind in UNDER_WAY:
        if kind.at_once:
            kind.end(officer, actor_ref=actor_ref)


def _as_if_trained(officer: Actor) -> Actor:
    """Returns the clerk with roles that overdue training does not restrict."""
    return dataclasses.replace(officer, grants=tuple(dataclasses.replace(grant, overdue=False) for grant in officer.grants))
