"""What a clerk has under way when his role's last day has passed: nobody ends it at that moment, so a sweeper does (S06)."""

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
    """Ends what the roles in `officer` no longer reach, in the caller's transaction. Returns how many it ended."""

    def __call__(self, officer: Actor, *, actor_ref: str) -> int: ...  # noqa: D102


@dataclass(frozen=True)
class UnderWay:
    """Something that clerks begin and that ends with the role that allowed it.

    `oldest` returns references of clerks and when the oldest that each has open began, in one query. `at_once`: it ends when
    somebody takes the role or narrows it; otherwise only the sweeper ends it.
    """

    oldest: Callable[[], Iterable[tuple[str, dt.datetime]]]
    end: End
    at_once: bool


UNDER_WAY = Registry[UnderWay]()
"""The packages above register what their clerks begin."""


def sweep(*, dry_run: bool = False) -> int:
    """Fails the activations and puts aside the drafts of orders that no role of their clerk reaches any more, with their events.

    A clerk a transaction; a second run finds nothing. Overdue training ends nothing. Returns how many; `dry_run` only counts.
    """
    return sum(_end(person_id, dry_run=dry_run) for person_id in _holders())


def _holders() -> list[UUID]:
    """The clerks with something under way, of whose roles one has ended since it began."""
    begun = _begun()
    ended = RoleGrant.objects.filter(person__in=begun, valid_to__lte=clock.now()).values_list("person_id")
    return sorted(person_id for person_id, last in ended.annotate(last=Max("valid_to")) if last >= begun[person_id])


def with_something_under_way() -> set[UUID]:
    """The people who have something open, as an activation or the draft of an order; a query for each kind."""
    return set(_begun())


def _begun() -> dict[UUID, dt.datetime]:
    """The people with something under way, and when the oldest of it began."""
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
    """Ends what no role of one clerk reaches any more, as `sweep` does, in the caller's transaction; returns how many."""
    officer = _as_if_trained(actor_of_person(person_id))
    return sum(kind.end(officer, actor_ref=_RULE) for kind in UNDER_WAY)


def end_at_once(person_id: UUID, *, actor_ref: str) -> None:
    """Ends what must not outlast a role that `actor_ref` has just taken or narrowed, in the caller's transaction."""
    officer = actor_of_person(person_id)
    for kind in UNDER_WAY:
        if kind.at_once:
            kind.end(officer, actor_ref=actor_ref)


def _as_if_trained(officer: Actor) -> Actor:
    """The clerk with what his roles reach, whether his training is overdue or not."""
    return dataclasses.replace(officer, grants=tuple(dataclasses.replace(grant, overdue=False) for grant in officer.grants))
