"""The tree from which a role's places are picked."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import AREA_ROLES
from issuance.models import IssuingArea, Organisation
from issuance.queries.administration.change_words import organisation_number
from issuance.queries.administration.nesting import nested


@dataclass
class Place:
    """An organisation or area of the tree; `held` where the person has the role already."""

    id: UUID
    name: str
    number: str
    hsa_id: str
    held: bool
    children: list["Place"] = field(default_factory=list)


def tree(*, actor: Actor, role: Role, held: Collection[UUID]) -> list[Place]:
    """The places in which the actor may give `role`, each under the nearest one above it among them. One query."""
    if role in AREA_ROLES:
        return [Place(row.id, row.name, "", "", row.id in held) for row in _areas(actor) if _may(actor, role, row)]
    return nested((row.scope_path, _organisation(row, held)) for row in _organisations(actor, role))


def count(places: Iterable[Place]) -> int:
    """How many places a tree has."""
    return sum(1 + count(place.children) for place in places)


def _areas(actor: Actor) -> Iterable[IssuingArea]:
    return IssuingArea.objects.visible_to(actor, Action.ASSIGN_ROLE).order_by("name")


def _organisations(actor: Actor, role: Role) -> list[Organisation]:
    rows = Organisation.objects.visible_to(actor, Action.ASSIGN_ROLE).order_by("name", "id")
    return [row for row in rows if _may(actor, role, row)]


def _may(actor: Actor, role: Role, row: IssuingArea | Organisation) -> bool:
    return policy.may_assign(actor, role, row.scope_path, protected_persons=False)


def _organisation(row: Organisation, held: Collection[UUID]) -> Place:
    return Place(row.id, row.name, organisation_number(row.organisation_number), row.hsa_id, row.id in held)
