"""The tree of places for which a role can be given, for a person or in one area."""

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
"""The largest area whose organisations are all shown. In a larger area, at most this number of search results is shown."""


@dataclass
class Place:
    """An organisation or area in the tree; `held` is True if the person already has the role there."""

    id: UUID
    name: str
    number: str
    hsa_id: str
    held: bool
    children: list["Place"] = field(default_factory=list)


def tree(*, actor: Actor, role: Role, held: Collection[UUID]) -> list[Place]:
    """Returns the places in which the actor may give `role`, each below its nearest ancestor among them. One query."""
    if role in AREA_ROLES:
        return [Place(row.id, row.name, "", "", row.id in held) for row in _areas(actor) if _may(actor, role, row)]
    return nested((row.scope_path, _organisation(row, held)) for row in _organisations(actor, role))


@dataclass(frozen=True)
class AreaPlaces:
    """The organisations of an area to choose from, or the search results. `seen` counts all, `found` the search results."""

    tops: list[Place]
    seen: int
    found: int

    @property
    def is_large(self) -> bool:
        """True if the organisations are shown only after a search."""
        return self.seen > MOST

    @property
    def is_cut(self) -> bool:
        """True if the search found more than are shown."""
        return self.found > MOST


def of_area(*, actor: Actor, area_id: UUID, text: str = "", picked: Collection[UUID] = ()) -> AreaPlaces:
    """Returns the organisations of an area in which the actor may assign roles, by name on each level. At most two queries.

    If there are more than MOST, returns at most MOST that match `text`, their ancestors, and those already picked.
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
    shown_paths = {*found[:MOST], *(row[0] for row in everything if row[1] in picked)}
    kept = {each for path in shown_paths for each in (path, *paths_above(path))}
    return AreaPlaces(nested(_node(row) for row in everything if row[0] in kept), seen, len(found))


def count(places: Iterable[Place]) -> int:
    """Returns the number of places in a tree."""
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
