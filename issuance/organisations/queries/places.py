"""The head of a page about an area or an organisation: name, place in the tree, and the actor's rights there."""

from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet

from issuance.authz import Action, Actor, policy
from issuance.authz.roles import ORGANISATION_ROLES
from issuance.organisations.models import IssuingArea, Organisation

RIGHTS = (
    Action.CREATE_ORGANISATION,
    Action.CREATE_SUB_ORGANISATION,
    Action.EDIT_OFFICE,
    Action.LINK_OFFICE,
    Action.EDIT_RECEIPT_TEXT,
    Action.CHOOSE_ARTICLES,
    Action.VERIFY_CUSTOMISATION,
    Action.ASSIGN_ROLE,
    Action.ORDER_RESERVE_BUNDLE,
)
"""Rights by which pages offer functions on a place."""


@dataclass(frozen=True)
class Above:
    """A place further up; `seen` is True if the actor may open it."""

    id: UUID
    name: str
    seen: bool


@dataclass(frozen=True)
class AreaHead:
    """An issuing area with the actor's rights in all of it.

    `gives_roles` is True if the actor may give roles of its organisations.
    """

    id: UUID
    name: str
    rights: frozenset[Action]
    gives_roles: bool


@dataclass(frozen=True)
class OrganisationHead:
    """An organisation with the actor's rights in it.

    `above` are the organisations over it, the top one first. `gives_roles` is True if the actor may give some role there. In an
    `ended` (closed) organisation nobody has a right to configure anything.
    """

    id: UUID
    name: str
    hsa_id: str
    area: Above
    above: tuple[Above, ...]
    rights: frozenset[Action]
    gives_roles: bool
    ended: bool = False

    @property
    def is_sub_organisation(self) -> bool:
        """True for an organisation below another."""
        return bool(self.above)

    @property
    def may_change(self) -> bool:
        """True if the actor may edit and move the organisation: the right to create one there (rules/issuance 1.2)."""
        return (Action.CREATE_SUB_ORGANISATION if self.is_sub_organisation else Action.CREATE_ORGANISATION) in self.rights


def area_head(*, actor: Actor, area_id: UUID | str) -> AreaHead:
    """Returns the head of an issuing area. Raises NotFound, Forbidden."""
    return head_of(actor, policy.get(actor, Action.VIEW_CONFIGURATION, _areas, area_id))


def _areas(actor: Actor) -> QuerySet[IssuingArea]:
    return IssuingArea.objects.with_rights(actor, RIGHTS)


def head_of(actor: Actor, row: IssuingArea) -> AreaHead:
    """Returns the head of an area that was read using `with_rights`."""
    gives_roles = bool(policy.assignable(actor, row.scope_path) & ORGANISATION_ROLES)
    return AreaHead(row.id, row.name, rights_on(row), gives_roles)


def organisation_head(*, actor: Actor, organisation_id: UUID | str) -> OrganisationHead:
    """Returns the head of an organisation. Raises NotFound or Forbidden unless the actor may view its configuration."""
    row = policy.get(actor, Action.VIEW_CONFIGURATION, _organisations, organisation_id)
    above = organisations_above([row]).get(row.id, ())
    return OrganisationHead(
        id=row.id,
        name=row.name,
        hsa_id=row.hsa_id,
        area=Above(row.area_id, row.area.name, is_seen(actor, row.area.scope_path)),
        above=tuple(Above(each.id, each.name, is_seen(actor, each.scope_path)) for each in above),
        rights=rights_on(row),
        gives_roles=bool(policy.assignable(actor, row.scope_path) & ORGANISATION_ROLES),
        ended=row.closed_at is not None,
    )


def _organisations(actor: Actor) -> QuerySet[Organisation]:
    return Organisation.objects.with_rights(actor, RIGHTS).select_related("area")


def rights_on(row: IssuingArea | Organisation) -> frozenset[Action]:
    """Returns the actions of `RIGHTS` that the annotations of `with_rights` allow on the row."""
    return frozenset(action for action in RIGHTS if getattr(row, f"may_{action}"))


def is_seen(actor: Actor, scope_path: str) -> bool:
    """True if the actor's roles show the configuration of the place with this path."""
    return any(scope_path.startswith(path) for path in policy.reach(actor, Action.VIEW_CONFIGURATION))


def organisations_above(rows: Iterable[Organisation]) -> dict[UUID, tuple[Organisation, ...]]:
    """Returns the organisations above each organisation, the top one first. One query, which ignores scope."""
    paths = {row.id: paths_above(row.scope_path) for row in rows}
    paths_to_read = {path for each in paths.values() for path in each}
    found = {row.scope_path: row for row in Organisation.objects.filter(scope_path__in=paths_to_read)} if paths_to_read else {}
    return {pk: tuple(found[path] for path in each if path in found) for pk, each in paths.items()}


def paths_above(scope_path: str) -> list[str]:
    """Returns the scope paths of the organisations above this path, the top one first."""
    _empty, area, *organisations, _end = scope_path.split("/")
    return [f"/{area}/{'/'.join(organisations[:count])}/" for count in range(1, len(organisations))]
