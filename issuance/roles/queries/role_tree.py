"""The tree from which a role's places are picked, for a person or in one area."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from uuid import UUID

from issuance.administration.queries.change_words import organisation_number
from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import AREA_ROLES
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.queries.area_tree import matches
from issuance.organisations.queries.nesting import nested
from issuance.organisations.queries.places import paths_above

MOST = 200
"""An area's organisations are drawn all if they are no more than these, else as many of those that a text finds."""


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


@dataclass(frozen=True)
class AreaPlaces:
    """An area's organisations to pick among: all, or those of `seen` in all that were asked for; `found` by the text."""

    tops: list[Place]
    seen: int
    found: int

    @property
    def is_large(self) -> bool:
        """Whether one must ask for organisations to see them."""
        return self.seen > MOST

    @property
    def is_cut(self) -> bool:
        """Whether the text finds more than are drawn."""
        return self.found > MOST


def of_area(*, actor: Actor, area_id: UUID, text: str = "", picked: Collection[UUID] = ()) -> AreaPlaces:
    """The organisations of an area in which the actor may assign roles, by name on each level. At most two queries.

    Of more than MOST those that `text` finds, no more than MOST of them, those above them, and those picked already.
    """
    rows = Organisation.objects.visible_to(actor, Action.ASSIGN_ROLE).filter(area=area_id).order_by("name", "id")
    seen = rows.count()
    text = " ".join(text.split())
    if seen > MOST and not text and not picked:
        return AreaPlaces([], seen, 0)
    everything = list(rows.values_list("scope_path", "pk", "name", "organisation_number", "hsa_id"))
    if seen <= MOST:
        return AreaPlaces(nested(map(_node, everything)), seen, seen)
    found = [row[0] for row in everything if text and matches(text, *row[2:])]
    wanted = {*found[:MOST], *(row[0] for row in everything if row[1] in picked)}
    kept = {each for path in wanted for each in (path, *paths_above(path))}
    return AreaPlaces(nested(_node(row) for row in everything if row[0] in kept), seen, len(found))


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


def _node(row: tuple[str, UUID, str, str, str]) -> tuple[str, Place]:
    path, pk, name, number, hsa_id = row
    return path, Place(pk, name, organisation_number(number), hsa_id, held=False)


def _organisation(row: Organisation, held: Collection[UUID]) -> Place:
    return Place(row.id, row.name, organisation_number(row.organisation_number), row.hsa_id, row.id in held)
