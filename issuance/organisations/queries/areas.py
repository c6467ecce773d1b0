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
from issuance.people.models.persons import Person
from issuance.people.queries import officers
from issuance.records.domain import wording
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import current, in_force, with_post
from issuance.roles.services.role_periods import last_day_of
from siths_portal.lib import clock
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class AreaLine:
    """An area in the overview. `issuers` is True if it has a responsible issuer now."""

    id: UUID
    name: str
    issuing_organisation: str
    issuers: bool


@dataclass(frozen=True)
class Issuer:
    """A responsible issuer, with the name that the actor may see; `opens` is True if the actor may open the issuer's roles.

    `last` is the role's last day, if any, and `begins` its first day if that is in the future. `rests` means that the role is
    dormant because the issuer has no valid assignment in the area.
    """

    person_id: UUID
    name: str
    opens: bool
    last: dt.date | None
    rests: bool
    begins: dt.date | None


@dataclass(frozen=True)
class AreaFacts:
    """The configuration of an area. The roles of `resting_issuers` are dormant, those of `coming_issuers` have not begun."""

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
    """Whether an area has an issuing organisation, responsible issuers, and organisations and offices that the reader sees."""

    issuing: UUID | None
    issuers: bool
    organisations: bool
    offices: bool


@dataclass(frozen=True)
class OrganisationLine:
    """An organisation in a list. `issuing` means that it issues in its area.

    `below` counts the organisations directly below it; only the list of an area sets it.
    """

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
    """Returns the issuing areas that the actor sees. Callers may sort by `issuer`, the issuing organisation's name."""
    rows = (
        IssuingArea.objects.visible_to(actor, Action.VIEW_CONFIGURATION)
        .select_related("issuing_organisation")
        .annotate(issuer=Coalesce(F("issuing_organisation__name"), Value("")), has_issuers=has_issuers())
    )
    return Rows(
        rows,
        lambda found: [
            AreaLine(row.id, row.name, _name(row.issuing_organisation), row.has_issuers)  # type: ignore[attr-defined]
            for row in found
        ],
    )


def granted_organisations(*, actor: Actor) -> tuple[OrganisationLine, ...]:
    """Returns the organisations in which the actor has a role, by name. Used for actors who see no complete area."""
    paths = policy.reach(actor, Action.VIEW_CONFIGURATION)
    rows = Organisation.objects.filter(scope_path__in=paths).select_related("area").order_by("name", "pk")
    return tuple(organisation_line(row) for row in rows)


def area_facts(*, actor: Actor, area_id: UUID) -> AreaFacts:
    """Returns the configuration of an area that the actor sees. Raises NotFound, Forbidden."""
    return area_with_head(actor=actor, area_id=area_id)[1]


def area_with_head(*, actor: Actor, area_id: UUID) -> tuple[AreaHead, AreaFacts]:
    """Returns the head and the configuration of an area with one query for both. Raises NotFound, Forbidden."""
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
    """Returns which parts an area has, for pages that show no more of it. One query. Raises NotFound, Forbidden."""
    seen = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=OuterRef("pk"), closed_at=None)
    rows = IssuingArea.objects.annotate(
        has_issuers=has_issuers(),
        has_organisations=Exists(seen),
        has_offices=Exists(Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=OuterRef("pk"))),
    )
    row: Any = policy.get(actor, Action.VIEW_CONFIGURATION, rows, area_id)
    return AreaOutline(row.issuing_organisation_id, row.has_issuers, row.has_organisations, row.has_offices)


def is_in_use(*, area_id: UUID) -> bool:
    """True if a card was ever ordered in the area for a person who is not protected (S13). One query.

    It checks each organisation separately, because each check then uses the index of that organisation's orders.
    """
    ordered = Exists(CardOrder.objects.filter(organisation=OuterRef("pk"), person__is_protected=False))
    return any(Organisation.objects.filter(area=area_id).values_list(ordered, flat=True))


def has_issuers() -> Exists:
    """Returns the condition that an area has a responsible issuer now, with an assignment in the area."""
    return Exists(with_post(in_force(RoleGrant.objects.filter(area=OuterRef("pk"), role=Role.RESPONSIBLE_ISSUER.value))))


def _issuers(actor: Actor, row: IssuingArea) -> tuple[Issuer, ...]:
    """Returns the current and coming responsible issuers of an area, by name. A person who has both roles counts as current."""
    now = clock.now()
    grants = {
        f"user:{grant.person_id}": grant for grant in _holding(row.pk).annotate(opens=_opens(actor)).order_by("-valid_from")
    }
    named = officers.names(actor, grants).items()
    found = (_issuer(grants[ref], name, now=now) for ref, name in named)
    return tuple(sorted(found, key=lambda one: one.name))


def _opens(actor: Actor) -> Value | Exists:
    """Returns whether the actor may open the page of roles of a role's holder, who is somebody else."""
    if not policy.holds(actor, Action.ASSIGN_ROLE):
        return Value(False)
    others = Person.objects.visible_to(actor, Action.ASSIGN_ROLE).filter(pk=OuterRef("person"))
    return Exists(others.exclude(pk=actor.person_id) if actor.person_id else others)


def _issuer(grant: RoleGrant, name: str, *, now: dt.datetime) -> Issuer:
    coming = grant.valid_from > now
    return Issuer(
        grant.person_id,
        name,
        grant.opens,  # type: ignore[attr-defined]
        last_day_of(grant),
        rests=not (coming or grant.awake),  # type: ignore[attr-defined]
        begins=wording.day(grant.valid_from) if coming else None,
    )


def issuer_names(*, actor: Actor, area_id: UUID) -> tuple[str, ...]:
    """Returns the names of an area's responsible issuers, as the actor may see them, for pages about places in the area."""
    refs = [f"user:{one.person_id}" for one in in_force(_holding(area_id)) if one.awake]  # type: ignore[attr-defined]
    return tuple(sorted(officers.names(actor, refs).values()))


def _holding(area_id: UUID) -> QuerySet[RoleGrant]:
    """Returns the current and coming roles of responsible issuers in an area.

    `awake` is True if the holder has a valid assignment there.
    """
    rows = current(RoleGrant.objects.filter(area=area_id, role=Role.RESPONSIBLE_ISSUER.value))
    return rows.annotate(awake=Exists(with_post(RoleGrant.objects.filter(pk=OuterRef("pk")))))


def without_issuer(*, grant_ids: Collection[UUID]) -> list[tuple[UUID, str]]:
    """Returns id and name of the areas that have a responsible issuer now but none without these roles. One query."""
    holding = with_post(in_force(RoleGrant.objects.filter(area=OuterRef("pk"), role=Role.RESPONSIBLE_ISSUER.value)))
    rows = IssuingArea.objects.filter(Exists(holding.filter(pk__in=grant_ids)), ~Exists(holding.exclude(pk__in=grant_ids)))
    return list(rows.order_by("name").values_list("pk", "name"))


def organisations_in(*, actor: Actor, area_id: UUID, below: Mapping[UUID | None, int]) -> Rows[Organisation, OrganisationLine]:
    """Returns the top organisations of an area that the actor sees, without closed ones.

    `below` is the result of `counts_below`.
    """
    rows = _open_in(actor, area_id).filter(parent=None).select_related("area")
    return Rows(
        rows, lambda found: [replace(organisation_line(row), below=below.get(row.id, 0)) for row in found], below.get(None, 0)
    )


def counts_below(*, actor: Actor, area_id: UUID) -> dict[UUID | None, int]:
    """Returns how many open organisations lie directly below each organisation of an area, if any do, and at its top (None)."""
    counted = _open_in(actor, area_id).order_by().values("parent_id").annotate(count=Count("pk"))
    return dict(counted.values_list("parent_id", "count"))


def _open_in(actor: Actor, area_id: UUID) -> QuerySet[Organisation]:
    return Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id, closed_at=None)


def organisations_below(*, actor: Actor, organisation_id: UUID, parent: str) -> Rows[Organisation, OrganisationLine]:
    """Returns the open organisations directly below one called `parent`, as far as the actor sees them."""
    rows = Organisation.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(parent=organisation_id, closed_at=None)
    return Rows(rows.select_related("area"), lambda found: [replace(organisation_line(row), parent=parent) for row in found])


def organisation_line(row: Organisation) -> OrganisationLine:
    """Returns a list line of an organisation whose area is loaded."""
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
    """Returns the offices of an area that the actor sees."""
    rows = Office.objects.visible_to(actor, Action.VIEW_CONFIGURATION).filter(area=area_id)
    return Rows(rows, lambda found: [office_line(row) for row in found])


def office_line(row: Office) -> OfficeLine:
    """Returns a list line of an office."""
    return OfficeLine(row.id, row.name, row.invoice_comment, bool(row.street_address), row.closed_at is not None)


def issuer_choices(*, area_id: UUID) -> list[tuple[str, str]]:
    """Returns the organisations that may issue in an area, as choices of a form: ids and names."""
    tops = Organisation.objects.filter(area=area_id, parent=None, closed_at=None).order_by("name", "pk")
    return [(str(pk), name) for pk, name in tops.values_list("pk", "name")]


def _name(row: Organisation | None) -> str:
    return row.name if row else ""


def is_empty_area(area_id: UUID) -> bool:
    """True if the area has no organisation, office or role, and never had one, so `areas.remove_area` may remove it."""
    all_of = (Organisation.objects, Office.objects, RoleGrant.objects, FormerPlace.objects, FormerIssuer.objects)
    return not any(rows.filter(area=area_id).exists() for rows in all_of)
