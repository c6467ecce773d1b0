"""What a clerk has under way when his role's last day has passed: nobody ends it at that moment, so a sweeper does (S06)."""

import dataclasses
import datetime as dt
from uuid import UUID

from django.db import transaction
from django.db.models import Max, Min

from issuance.activation.domain.transaction_states import OPEN
from issuance.activation.models import EidAppTransaction
from issuance.activation.services import transactions
from issuance.authz import Actor
from issuance.orders.domain.drafts import DraftState
from issuance.orders.models.drafts import OrderDraft
from issuance.orders.services import drafts
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import actor_of_person
from siths_portal.lib import clock

_RULE = "system:role-ended"
_USER = "user:"


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
    """The people who have an activation or the draft of an order open; two queries."""
    return set(_begun())


def _begun() -> dict[UUID, dt.datetime]:
    """The people with something under way, and when the oldest of it began."""
    begun: dict[UUID, dt.datetime] = {}
    for ref, at in [
        *_oldest(EidAppTransaction.objects.filter(state__in=[state.value for state in OPEN]), "officer_ref"),
        *_oldest(OrderDraft.objects.filter(state=DraftState.OPEN), "owner_ref"),
    ]:
        if ref.startswith(_USER):
            person_id = UUID(ref.removeprefix(_USER))
            begun[person_id] = min(at, begun.get(person_id, at))
    return begun


def _oldest(rows: object, by: str) -> list[tuple[str, dt.datetime]]:
    return list(rows.values_list(by).annotate(begun=Min("created_at")).order_by(by))  # type: ignore[attr-defined]


def _end(person_id: UUID, *, dry_run: bool) -> int:
    with transaction.atomic(durable=True):
        ended = end_of_clerk(person_id)
        if dry_run:
            transaction.set_rollback(True)
    return ended


def end_of_clerk(person_id: UUID) -> int:
    """Ends what no role of one clerk reaches any more, as `sweep` does, in the caller's transaction; returns how many."""
    officer = _as_if_trained(actor_of_person(person_id))
    return transactions.end_of_officer(officer, actor_ref=_RULE) + drafts.abandon_of_officer(officer, actor_ref=_RULE)


def _as_if_trained(officer: Actor) -> Actor:
    """The clerk with what his roles reach, whether his training is overdue or not."""
    return dataclasses.replace(officer, grants=tuple(dataclasses.replace(grant, overdue=False) for grant in officer.grants))
