"""The existing rows that a file refers to, read at once for all rows, as far as the actor sees them (S09, S11)."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from django.db.models import Q, QuerySet
from django.db.models.functions import Upper

from issuance.articles.models import SubscriptionFee
from issuance.authz import Action, Actor
from issuance.customisations.models import CardCustomisation
from issuance.imports.domain import SetupTable
from issuance.imports.services.planned_rows import SetupRow
from issuance.offices.models import Office, OrganisationOffice
from issuance.offices.services import offices_to_connect
from issuance.organisations.models import IssuingArea, Organisation
from issuance.people.models.persons import Person, Post
from issuance.records.domain.ids import parse_hsa_id
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import current
from siths_portal.lib import clock

RIGHTS = (
    Action.VIEW_CONFIGURATION,
    Action.CREATE_ORGANISATION,
    Action.CREATE_SUB_ORGANISATION,
    Action.EDIT_OFFICE,
    Action.LINK_OFFICE,
    Action.ASSIGN_ROLE,
)
_SEPARATORS = re.compile(r"[,;\s]+")


@dataclass(frozen=True)
class SetupPlace:
    """An area or organisation in sight, or an organisation to create, whose `pk` is None.

    `scope_path` is that of the nearest existing place, which determines the scope of a new one. `length` is the length of its
    present or future path. In a closed (`ended`) one nobody has a right to set anything up.
    """

    pk: UUID | None
    name: str
    area_id: UUID
    area_name: str
    scope_path: str
    length: int
    rights: frozenset[Action]
    ended: bool = False


@dataclass
class ExistingSetup:
    """Existing rows by key. Keys of organisations, offices and assignments are in upper case.

    `taken` holds HSA-ids of organisations out of sight. `beyond` holds offices whose own pages the actor does not see, but
    which they may connect (ADR 0183).
    """

    areas: dict[str, SetupPlace] = field(default_factory=dict)
    issuers: dict[UUID, UUID | None] = field(default_factory=dict)
    organisations: dict[str, Organisation] = field(default_factory=dict)
    places: dict[str, SetupPlace] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    charged: dict[UUID, bool] = field(default_factory=dict)
    generic: bool = False
    offices: list[Office] = field(default_factory=list)
    beyond: set[UUID] = field(default_factory=set)
    connected: set[tuple[UUID, UUID]] = field(default_factory=set)
    people: dict[str, Person] = field(default_factory=dict)
    post_areas: dict[UUID, set[UUID]] = field(default_factory=dict)
    grants: dict[tuple[UUID, str], list[RoleGrant]] = field(default_factory=dict)

    def area(self, name: str) -> SetupPlace | None:
        """Returns the area in sight with exactly this name, else the only one that differs in letter case. Returns None if
        there is none.
        """
        if name in self.areas:
            return self.areas[name]
        alike = [place for place in self.areas.values() if place.name.upper() == name.upper()]
        return alike[0] if len(alike) == 1 else None


def existing_setup(actor: Actor, rows: Sequence[SetupRow]) -> ExistingSetup:
    """Returns the existing rows that `rows` refer to. The number of queries does not depend on the number of rows."""
    found = ExistingSetup()
    _areas(actor, rows, found)
    _organisations(actor, rows, found)
    if any(row.kind == SetupTable.OFFICES for row in rows):
        _offices(actor, rows, found)
    if any(row.kind == SetupTable.ROLES for row in rows):
        _people(actor, rows, found)
    return found


def unseen_posts(actor: Actor, rows: Sequence[SetupRow]) -> list[str]:
    """Returns the HSA-ids of role holders, as written, whom the actor does not see. Hidden and unknown holders are treated
    alike.
    """
    holder_ids = {
        row.get("hsa_id").upper(): row.get("hsa_id") for row in rows if row.kind == SetupTable.ROLES and row.get("hsa_id")
    }
    if not holder_ids:
        return []
    seen = {hsa_id.upper() for hsa_id in _posts(actor, holder_ids).values_list("hsa_id", flat=True)}
    return [text for key, text in holder_ids.items() if key not in seen and _is_hsa_id(text)]


def _is_hsa_id(text: str) -> bool:
    try:
        return bool(parse_hsa_id(text))
    except ValueError:
        return False


def ids_in(text: str) -> list[str]:
    """Returns the HSA-ids of a cell with several, in upper case, without duplicates."""
    return list(dict.fromkeys(part.upper() for part in _SEPARATORS.split(text) if part))


def _rights(row: IssuingArea | Organisation) -> frozenset[Action]:
    return frozenset(action for action in RIGHTS if getattr(row, f"may_{action}"))


def _areas(actor: Actor, rows: Sequence[SetupRow], found: ExistingSetup) -> None:
    names = {row.get("area").upper() for row in rows} - {""}
    areas = IssuingArea.objects.with_rights(actor, RIGHTS).alias(key=Upper("name"))
    for area in areas.filter(key__in=names) if names else ():
        if Action.VIEW_CONFIGURATION in _rights(area):
            path = area.scope_path
            found.areas[area.name] = SetupPlace(area.pk, area.name, area.pk, area.name, path, len(path), _rights(area))
            found.issuers[area.pk] = area.issuing_organisation_id


def _organisations(actor: Actor, rows: Sequence[SetupRow], found: ExistingSetup) -> None:
    referenced = {key for row in rows for key in _organisations_of(row)} - {""}
    organisations = Organisation.objects.with_rights(actor, RIGHTS).alias(key=Upper("hsa_id")).filter(key__in=referenced)
    for row in organisations.select_related("area", "parent", "customisation") if referenced else ():
        key = row.hsa_id.upper()
        if Action.VIEW_CONFIGURATION not in _rights(row):
            found.taken.add(key)
            continue
        found.organisations[key] = row
        path = row.scope_path
        ended = row.closed_at is not None
        found.places[key] = SetupPlace(row.pk, row.name, row.area_id, row.area.name, path, len(path), _rights(row), ended)
    if any(row.kind == SetupTable.ORGANISATIONS for row in rows):
        found.generic = CardCustomisation.objects.filter(generic=True).exists()
        ids = [row.pk for row in found.organisations.values()]
        fees = SubscriptionFee.objects.filter(organisation__in=ids, valid_from__lte=clock.now()).order_by("valid_from")
        found.charged = dict(fees.values_list("organisation_id", "charged"))


def _organisations_of(row: SetupRow) -> Iterable[str]:
    """Returns the HSA-ids of organisations in a row, in upper case."""
    if row.kind == SetupTable.ORGANISATIONS:
        return (row.get("hsa_id").upper(), row.get("parent").upper())
    return ids_in(row.get("organisations")) if row.kind == SetupTable.OFFICES else (row.get("organisation").upper(),)


def _offices(actor: Actor, rows: Sequence[SetupRow], found: ExistingSetup) -> None:
    office_rows = [row for row in rows if row.kind == SetupTable.OFFICES]
    names, numbers = {row.get("name").upper() for row in office_rows}, {row.get("office_number") for row in office_rows} - {""}
    areas = [place.pk for place in found.areas.values()]
    offices = offices_to_connect(actor).with_rights(actor, (Action.VIEW_CONFIGURATION,)).select_related("area")
    offices = offices.alias(key=Upper("name"))
    found.offices = list(offices.filter(Q(area__in=areas, key__in=names) | Q(office_number__in=numbers)).order_by("pk"))
    found.beyond = {office.pk for office in found.offices if not office.may_view_configuration}  # type: ignore[attr-defined]
    pairs = OrganisationOffice.objects.filter(office__in=[office.pk for office in found.offices])
    found.connected = set(pairs.values_list("office_id", "organisation_id"))


def _people(actor: Actor, rows: Sequence[SetupRow], found: ExistingSetup) -> None:
    """Reads people with assignments in sight to whom the actor may give roles, as pages find them, with the areas of their
    assignments and their roles.
    """
    holder_ids = {row.get("hsa_id").upper() for row in rows if row.kind == SetupTable.ROLES}
    found.people = {post.hsa_id.upper(): post.person for post in _posts(actor, holder_ids).select_related("person")}
    ids = {person.pk for person in found.people.values()}
    valid = Q(valid_to=None) | Q(valid_to__gte=clock.today())
    pairs = Post.objects.filter(valid, person__in=ids, ended_at=None).values_list("person_id", "organisation__area_id")
    for person_id, area_id in pairs:
        found.post_areas.setdefault(person_id, set()).add(area_id)
    for grant in current(RoleGrant.objects.filter(person__in=ids)):
        found.grants.setdefault((grant.person_id, grant.role), []).append(grant)


def _posts(actor: Actor, keys: Iterable[str]) -> QuerySet[Post]:
    """Returns the assignments in sight with these HSA-ids, in upper case, of people to whom the actor may give roles."""
    people = Person.objects.visible_to(actor, Action.ASSIGN_ROLE)
    posts = Post.objects.visible_to(actor).alias(key=Upper("hsa_id"))
    return posts.filter(key__in=list(keys), ended_at=None, person__in=people)
