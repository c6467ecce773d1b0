"""Where an organisation may move, and what a move changes: access, offices, fees, customisation and receipt text (ADR 0181)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Count, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce

from issuance.activation.services import receipt_content
from issuance.authz import Action, Actor, policy
from issuance.authz.role_names import ROLE
from issuance.customisations.services.effective import effective_customisations
from issuance.offices.models import OrganisationOffice
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.queries.organisations import Customisation, customisation_of, described, fees_of
from issuance.organisations.queries.places import paths_above
from issuance.organisations.services.moving import require_movable
from issuance.people.models.person_scope import PersonScope
from issuance.people.queries import officers
from issuance.records.domain import wording
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import moving_roles
from issuance.roles.services.actors import in_force

MOST = 20
"""The maximum number of places offered. If there are more, the user narrows the search."""

NAMED = 50
"""The maximum number of persons named in each group; the page shows only a count of the others."""


@dataclass(frozen=True)
class Place:
    """A possible destination: an organisation, or the top of an area."""

    id: UUID
    name: str
    area: str
    is_area: bool
    detail: str = ""

    @property
    def value(self) -> str:
        """Returns the place as the form submits it."""
        return f"{'area' if self.is_area else 'organisation'}:{self.id}"


@dataclass(frozen=True)
class RoleHolder:
    """A role that covers the organisation only before or only after the move. `place` is where the role was given."""

    who: str
    role: str
    place: str


@dataclass(frozen=True)
class RoleHolders:
    """The named role holders, and how many `more` there are."""

    named: tuple[RoleHolder, ...] = ()
    more: int = 0


@dataclass(frozen=True)
class Consequences:
    """The consequences of moving the organisation at `version`. `persons` counts only persons whom the reader sees (S13).

    `rests` and `wakes` are roles that become dormant or active in another area (`moving_roles`). `receipt_before` and
    `receipt_after` name the organisations above whose receipt text applies before and after, if that changes; empty without one.
    """

    target: Place
    version: int
    same_place: bool
    along: int
    persons: int
    loses: RoleHolders
    gains: RoleHolders
    rests: RoleHolders
    wakes: RoleHolders
    other_area: bool
    party_before: str
    party_after: str
    offices: int
    customisation_before: Customisation
    customisation_after: Customisation
    receipt_before: str
    receipt_after: str
    becomes_top: bool
    becomes_sub: bool
    fee_ends: bool


def places(*, actor: Actor, organisation_id: UUID, text: str) -> list[Place]:
    """Returns at most MOST + 1 places to which the actor may move the organisation.

    `text` is a part of the name or the beginning of the HSA-id.
    """
    moved = policy.get(actor, Action.VIEW_CONFIGURATION, Organisation.objects, organisation_id)
    tops = IssuingArea.objects.visible_to(actor, Action.CREATE_ORGANISATION).filter(name__icontains=text)
    found = [Place(row.id, row.name, row.name, is_area=True) for row in tops.order_by("name")[: MOST + 1]]
    rows = (
        Organisation.objects.visible_to(actor, Action.CREATE_SUB_ORGANISATION)
        .filter(Q(name__icontains=text) | Q(hsa_id__istartswith=text))
        .exclude(scope_path__startswith=moved.scope_path)
        .select_related("area")
    )
    if not policy.holds(actor, Action.CREATE_ORGANISATION):
        rows = rows.filter(area=moved.area_id)
    found += [_below(row) for row in rows.order_by("name", "pk")[: MOST + 1]]
    return found[: MOST + 1]


def _below(row: Organisation) -> Place:
    return Place(row.id, row.name, row.area.name, is_area=False, detail=row.hsa_id)


def consequences(*, actor: Actor, organisation_id: UUID, target: str) -> Consequences:
    """Returns the consequences of a move to the place with this form value.

    Raises NotFound if there is no such place, Conflict if the organisation cannot move there.
    """
    rows = Organisation.objects.select_related("area__issuing_organisation", "parent", "customisation")
    moved = policy.get(actor, Action.VIEW_CONFIGURATION, rows, organisation_id)
    place, row = _place(actor, target)
    require_movable(moved, row)
    area = row if isinstance(row, IssuingArea) else row.area
    before = {moved.area.scope_path, *paths_above(moved.scope_path)}
    after = {area.scope_path} if isinstance(row, IssuingArea) else {area.scope_path, *paths_above(row.scope_path), row.scope_path}
    other_area = area.id != moved.area_id
    rests, wakes = moving_roles.changed(moved, area.id) if other_area else ([], [])
    loses, gains, rests_named, wakes_named = _named(actor, *_role_holders(before, after), rests, wakes)
    counts = _counts(actor, moved)
    receipt_before, receipt_after = _receipt_texts(moved, row)
    becomes_sub = isinstance(row, Organisation) and moved.parent_id is None
    return Consequences(
        target=place,
        version=moved.version,
        same_place=place.id == (moved.parent_id or moved.area_id),
        along=counts.organisations - 1,
        persons=counts.persons,
        loses=loses,
        gains=gains,
        rests=rests_named,
        wakes=wakes_named,
        other_area=other_area,
        party_before=_issuer(moved.area),
        party_after=_issuer(area),
        offices=counts.connections if other_area else 0,
        customisation_before=customisation_of(moved),
        customisation_after=_customisation_after(moved, row),
        receipt_before=receipt_before,
        receipt_after=receipt_after,
        becomes_top=isinstance(row, IssuingArea) and moved.parent_id is not None,
        becomes_sub=becomes_sub,
        fee_ends=becomes_sub and any(fee.charged and fee.state != "past" for fee in fees_of(moved.id)),
    )


class _Counts(NamedTuple):
    organisations: int
    persons: int
    connections: int


def _counts(actor: Actor, moved: Organisation) -> _Counts:
    """Counts the moving organisations, the persons in them whom the actor sees, and their connections to offices. One query."""
    inside = Organisation.objects.filter(scope_path__startswith=moved.scope_path)
    persons = PersonScope.objects.visible_to(actor).filter(organisation__in=inside)
    connections = OrganisationOffice.objects.filter(organisation__in=inside)
    counted = (_count(inside, "pk"), _count(persons, "person"), _count(connections, "pk"))
    return _Counts(*Organisation.objects.filter(pk=moved.pk).values_list(*counted).get())


def _count(rows: QuerySet[Any], column: str) -> Coalesce:
    """Returns a subquery that counts the distinct values of a column."""
    counted = rows.order_by().annotate(all=Value(1)).values("all").annotate(count=Count(column, distinct=True)).values("count")
    return Coalesce(Subquery(counted), 0)


def _place(actor: Actor, target: str) -> tuple[Place, IssuingArea | Organisation]:
    kind, _colon, pk = target.partition(":")
    if kind == "area":
        areas = IssuingArea.objects.select_related("issuing_organisation")
        area = policy.get(actor, Action.CREATE_ORGANISATION, areas, pk)
        return Place(area.id, area.name, area.name, is_area=True), area
    rows = Organisation.objects.select_related("area__issuing_organisation", "customisation")
    row = policy.get(actor, Action.CREATE_SUB_ORGANISATION, rows, pk)
    return _below(row), row


def _role_holders(before: set[str], after: set[str]) -> tuple[list[RoleGrant], list[RoleGrant]]:
    """Returns the roles that cover the organisation only before the move, and those that cover it only after.

    A person who has the same role above both places is in neither list.
    """
    over = Q(area__scope_path__in=before | after) | Q(organisation__scope_path__in=before | after)
    grants = in_force(RoleGrant.objects.filter(over))
    found = list(grants.select_related("area", "organisation").order_by("role", "pk"))
    had = {(row.person_id, row.role) for row in found if _path(row) in before}
    has = {(row.person_id, row.role) for row in found if _path(row) in after}
    return (
        [row for row in found if _path(row) in before and (row.person_id, row.role) not in has],
        [row for row in found if _path(row) in after and (row.person_id, row.role) not in had],
    )


def _named(actor: Actor, *groups: list[RoleGrant]) -> list[RoleHolders]:
    """Returns each group of roles with the holders' names as the actor may see them. One query for all names."""
    names = officers.names(actor, {f"user:{each.person_id}" for rows in groups for each in rows[:NAMED]})
    return [RoleHolders(tuple(_role_holder(each, names) for each in rows[:NAMED]), max(0, len(rows) - NAMED)) for rows in groups]


def _role_holder(row: RoleGrant, names: Mapping[str, str]) -> RoleHolder:
    place = row.area or row.organisation
    return RoleHolder(names[f"user:{row.person_id}"], wording.label(ROLE, row.role), place.name if place else "")


def _path(row: RoleGrant) -> str:
    place = row.area or row.organisation
    return place.scope_path if place else "/"


def _customisation_after(moved: Organisation, row: IssuingArea | Organisation) -> Customisation:
    if moved.customisation is not None or isinstance(row, IssuingArea):
        return described(moved.customisation, own=moved.customisation is not None and not moved.customisation.generic)
    return described(row.customisation or effective_customisations([row]).get(row.id))


def _receipt_texts(moved: Organisation, row: IssuingArea | Organisation) -> tuple[str, str]:
    """Returns the organisations whose receipt text applies to `moved` now and below `row`; both empty if that does not change."""
    now = receipt_content.regional_addition(moved)
    if now is not None and now.organisation_id == moved.id:
        return "", ""
    then = receipt_content.regional_addition(row) if isinstance(row, Organisation) else None
    if now is not None and then is not None and now.organisation_id == then.organisation_id:
        return "", ""
    return (now.organisation.name if now else "", then.organisation.name if then else "")


def _issuer(area: IssuingArea) -> str:
    return area.issuing_organisation.name if area.issuing_organisation else ""
