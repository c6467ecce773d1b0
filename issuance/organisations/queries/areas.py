"""Issuing areas: the overview, and one area with its organisations and offices (rules/issuance 7.1, 7.2)."""

import datetime as dt
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, F, OuterRef, QuerySet, Value
from django.db.models.functions import Coalesce

from issuance.administration.queries.change_words import organisation_number
from issuance.authz import Action, Actor, Role, policy
from issuance.offices.models import Office
from issuance.orders.models.orders import CardOrder
from issuance.organisations.models import FormerIssuer, FormerPlace, IssuingArea, Organisation
from issuance.organisations.queries.places import RIGHTS, AreaHead, head_of
from issuance.people.queries import officers
from issuance.records.queries import words
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries.role_reach import may_get_roles
from issuance.roles.services.actors import current, in_force, with_post
from issuance.roles.services.role_periods import last_day_of
from siths_portal.lib import clock
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class AreaLine:
    """An area in the overview. `issuers`: whether somebody is responsible issuer in it now."""

    id: UUID
    name: str
    issuing_organisation: str
    issuers: bool


@dataclass(frozen=True)
class Issuer:
    """A responsible issuer, named as the actor may read it; `opens` tells whether the actor may open his roles.

    `last` is the role's last day, if it has one, and `begins` its first, if that is to come; `rests`: the issuer has no valid
    post in the area, so that the role does not hold.
    """

    person_id: UUID
    name: str
    opens: bool
    last: dt.date | None
    rests: bool
    begins: dt.date | None


@dataclass(frozen=True)
class AreaFacts:
    """What is set on an area. The role of `resting_issuers` does not hold, the role of `coming_issuers` has not begun."""

    version: int
    name: str
    invoice_reference: str
    issuing_organisation_id: UUID | None
    issuing_organisation: str
    responsible_issuers: tuple[Issuer, ...]
    resting_issuers: tuple[Issuer, ...]
    coming_issuers: tuple[Issuer, ...]


@dataclass(frozen=True)
class AreaOutline:
    """What an area has at all: one that issues, responsible issuers, and organisations and offices that its reader sees."""

    issuing: UUID | None
    issuers: bool
    organisations: bool
    offices: bool


@dataclass(frozen=True)
class OrganisationLine:
    """An organisation in a list. `issuing`: it issues in its area; `below`: how many lie directly below it, in the list of an
    area."""

    id: UUID
    name: str
    organisation_number: str
    hsa_id: str
    area: str
    area_id: UUID
    issuing: bool
    below: int = 0
    parent: str = ""


@dataclass(frozen=True)
class OfficeLine:
    """An office in a list."""

    id: UUID
    name: str
    invoice_comment: str
    has_address: bool
    closed: bool


def areas(*, actor: Actor) -> Rows[IssuingArea, AreaLine]:
    """The issuing areas that the actor sees. They can be ordered by `issuer`, the issuing organisation's name."""
    rows = (
        IssuingArea.objects.visible_to(actor, Action.VIEW_CONFIGURATION)
        .select_related("issuing_organisation")
        .annotate(issuer=Coalesce(F("issuing_organisation__name"), Value("")), has_issuers=_has_issuers())
    )
    return Rows(
        rows,
        lambda found: [
            AreaLine(row.id, row.name, _name(row.issuing_organisation), row.has_issuers)  # type: ignore[attr-defined]
            for row in found
        ],
    )


def granted_organisations(*, actor: Actor) -> tuple[OrganisationLine, ...]:
    """The organisations that the actor's roles were given in, by name; for those who see no whole area."""
    paths = policy.reach(actor, Action.VIEW_CONFIGURATION)
    rows = Organisation.objects.filter(scope_path__in=paths).select_related("area").order_by("name", "pk")
    return tuple(organisation_line(row) for row in rows)


def area_facts(*, actor: Actor, area_id: UUID) -> AreaFacts:
    """What is set on an area that the actor sees. Raises NotFound, Forbidden."""
    return area_with_head(actor=actor, area_id=area_id)[1]


def area_with_head(*, actor: Actor, area_id: UUID) -> tuple[AreaHead, AreaFacts]:
    """Returns the head and the facts of an area by one query for both. Raises NotFound, Forbidden."""
    rows = IssuingArea.objects.with_rights(actor, RIGHTS).select_related("issuing_organisation")
    row = policy.get(actor, Action.VIEW_CONFIGURATION, rows, area_id)
    return head_of(actor, row), _facts(actor, row)


def _facts(actor: Actor, row: IssuingArea) -> AreaFacts:
    issuers = _issuers(actor, row)
    return AreaFacts(
        version=row.version,
        name=row.name,
        invoice_reference=row.invoice_reference,
        issuing_organisation_id=row.issuing_organisation_id,
        issuing_organisation=_name(row.issuing_organisation),
        responsible_issuers=tuple(one for one in issuers if not one.rests and one.begins is None),
        resting_issuers=tuple(one for one in issuers if one.rests),
        coming_issuers=tuple(one for one in issuers if one.begins is not None),
    )


def area_outline(*, actor: Actor, area_id: UUID) -> AreaOutline:
    """What an area that the actor sees has at all, where no more of it is shown. One query. Raises NotFound, Forbidden."""
    seen = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=OuterRef("pk"), closed_at=None)
    rows = IssuingArea.objects.annotate(
        has_issuers=_has_issuers(),
        has_organisations=Exists(seen),
        has_offices=Exists(Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=OuterRef("pk"))),
    )
    row: Any = policy.get(actor, Action.VIEW_CONFIGURATION, rows, area_id)
    return AreaOutline(row.issuing_organisation_id, row.has_issuers, row.has_organisations, row.has_offices)


def is_in_use(*, area_id: UUID) -> bool:
    """Whether a card was ever ordered in an area, for somebody who is not protected (S13). One query.

    Of each organisation by itself, by the index of its orders: one order of any of them would be sought among all there are.
    """
    ordered = Exists(CardOrder.objects.filter(organisation=OuterRef("pk"), person__is_protected=False))
    return any(Organisation.objects.filter(area=area_id).values_list(ordered, flat=True))


def _has_issuers() -> Exists:
    """Whether somebody is responsible issuer now, with a post in the area, as a condition on areas."""
    return Exists(with_post(in_force(RoleGrant.objects.filter(area=OuterRef("pk"), role=Role.RESPONSIBLE_ISSUER.value))))


def _issuers(actor: Actor, row: IssuingArea) -> tuple[Issuer, ...]:
    """Those who have the role of a responsible issuer in the area, or will, by name; who has it now and later counts as now."""
    now = clock.now()
    grants = {f"user:{grant.person_id}": grant for grant in _holding(row.pk).order_by("-valid_from")}
    people = {ref: grant.person_id for ref, grant in grants.items()}
    asked = people.values() if policy.holds(actor, Action.ASSIGN_ROLE) else ()
    opened = may_get_roles(actor=actor, person_ids=asked) - {actor.person_id}
    named = officers.names(actor, people).items()
    found = (_issuer(grants[ref], name, opens=people[ref] in opened, now=now) for ref, name in named)
    return tuple(sorted(found, key=lambda one: one.name))


def _issuer(grant: RoleGrant, name: str, *, opens: bool, now: dt.datetime) -> Issuer:
    coming = grant.valid_from > now
    return Issuer(
        grant.person_id,
        name,
        opens,
        last_day_of(grant),
        rests=not (coming or grant.awake),  # type: ignore[attr-defined]
        begins=words.day(grant.valid_from) if coming else None,
    )


def issuer_names(*, actor: Actor, area_id: UUID) -> tuple[str, ...]:
    """The names of an area's responsible issuers, as far as the actor may read them; for pages of what lies in the area."""
    refs = [f"user:{one.person_id}" for one in in_force(_holding(area_id)) if one.awake]  # type: ignore[attr-defined]
    return tuple(sorted(officers.names(actor, refs).values()))


def _holding(area_id: UUID) -> QuerySet[RoleGrant]:
    """The roles of responsible issuers in an area that have not ended, with `awake`: their holder has a valid post there."""
    rows = current(RoleGrant.objects.filter(area=area_id, role=Role.RESPONSIBLE_ISSUER.value))
    return rows.annotate(awake=Exists(with_post(RoleGrant.objects.filter(pk=OuterRef("pk")))))


def without_issuer(*, grant_ids: Collection[UUID]) -> list[tuple[UUID, str]]:
    """The areas, by id and name, that have a responsible issuer now and have none when these roles are gone. One query."""
    holding = with_post(in_force(RoleGrant.objects.filter(area=OuterRef("pk"), role=Role.RESPONSIBLE_ISSUER.value)))
    rows = IssuingArea.objects.filter(Exists(holding.filter(pk__in=grant_ids)), ~Exists(holding.exclude(pk__in=grant_ids)))
    return list(rows.order_by("name").values_list("pk", "name"))


def organisations_in(*, actor: Actor, area_id: UUID, below: Mapping[UUID, int]) -> Rows[Organisation, OrganisationLine]:
    """The organisations of an area that lie below no other, as far as the actor sees them; without those that are ended.

    `below`: as `counts_below` gives it.
    """
    rows = _open_in(actor, area_id).filter(parent=None).select_related("area")
    return Rows(rows, lambda found: [replace(organisation_line(row), below=below.get(row.id, 0)) for row in found])


def counts_below(*, actor: Actor, area_id: UUID) -> dict[UUID, int]:
    """How many organisations lie directly below each of an area's, of those that have any; without those that are ended."""
    counted = _open_in(actor, area_id).exclude(parent=None).order_by().values("parent_id").annotate(count=Count("pk"))
    return dict(counted.values_list("parent_id", "count"))


def _open_in(actor: Actor, area_id: UUID) -> QuerySet[Organisation]:
    return Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at=None)


def organisations_below(*, actor: Actor, organisation_id: UUID, parent: str) -> Rows[Organisation, OrganisationLine]:
    """The organisations directly below one, which is called `parent`, as far as the actor sees them; without ended ones."""
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(parent=organisation_id, closed_at=None)
    return Rows(rows.select_related("area"), lambda found: [replace(organisation_line(row), parent=parent) for row in found])


def organisation_line(row: Organisation) -> OrganisationLine:
    """An organisation in a list; its area is read."""
    return OrganisationLine(
        id=row.id,
        name=row.name,
        organisation_number=organisation_number(row.organisation_number),
        hsa_id=row.hsa_id,
        area=row.area.name,
        area_id=row.area_id,
        issuing=row.area.issuing_organisation_id == row.id,
    )


def offices_in(*, actor: Actor, area_id: UUID) -> Rows[Office, OfficeLine]:
    """The offices of an area that the actor sees."""
    rows = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id)
    return Rows(rows, lambda found: [office_line(row) for row in found])


def office_line(row: Office) -> OfficeLine:
    """An office in a list."""
    return OfficeLine(row.id, row.name, row.invoice_comment, bool(row.street_address), row.closed_at is not None)


def issuer_choices(*, area_id: UUID) -> list[tuple[str, str]]:
    """The organisations of an area that may issue in it, as choices of a form: ids and names."""
    tops = Organisation.objects.filter(area=area_id, parent=None, closed_at=None).order_by("name", "pk")
    return [(str(pk), name) for pk, name in tops.values_list("pk", "name")]


def _name(row: Organisation | None) -> str:
    return row.name if row else ""


def is_empty_area(area_id: UUID) -> bool:
    """Whether `areas.remove_area` would find nothing in the area, nor anything that was there once."""
    all_of = (Organisation.objects, Office.objects, RoleGrant.objects, FormerPlace.objects, FormerIssuer.objects)
    return not any(rows.filter(area=area_id).exists() for rows in all_of)
