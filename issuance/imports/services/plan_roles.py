"""Rows of role holders: who has the role already, and who will get it, by the rules of the pages (rules/issuance 1)."""

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from issuance.authz import Action, Actor, Role, policy
from issuance.authz.role_names import ROLE
from issuance.authz.roles import AREA_ROLES, GLOBAL_ROLES, RETIRED_ROLES
from issuance.imports.services.existing_setup import ExistingSetup, SetupPlace
from issuance.imports.services.planned_rows import ENDED, MISSING, OrganisationRef, PlannedSetupRow, RoleChange
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.role_periods import Period, moments, overlap
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid
from siths_portal.lib.imports.planning import RowOutcome

_ROLES: Mapping[str, Role] = {text.casefold(): Role(code) for code, text in ROLE.items() if code not in RETIRED_ROLES}
_EVERYWHERE = "/"
_NO_RIGHT = "Din behörighetsroll tillåter inte att du ger rollen här."


def plan(rows: list[PlannedSetupRow], existing: ExistingSetup, actor: Actor) -> None:
    """Sets the outcome of the rows. Organisations are planned before."""
    given: dict[tuple[UUID, Role, str], list[Period]] = {}
    for row in rows:
        role = _role(row)
        period = _period(row)
        person = _person(row, existing)
        protected = row.yes_or_no("protected_persons") or False
        place = _place(row, existing, role) if role else None
        if row.errors or role is None or person is None or (place is None and role not in GLOBAL_ROLES):
            continue
        key = (person.pk, role, _key(row, place))
        periods = given.setdefault(key, [])
        if any(_overlap(period, other) for other in periods):
            row.refuse("role", "Rollen står på flera rader. Ta bort den ena.")
            continue
        periods.append(period)
        row.person_id = person.pk
        _plan(row, existing, actor, RoleChange(person.pk, role, *_scope_of(row, role, place), protected, period), person, place)


def _key(row: PlannedSetupRow, place: SetupPlace | None) -> str:
    return _EVERYWHERE if place is None else str(place.pk or row.get("organisation").upper())


def _scope_of(row: PlannedSetupRow, role: Role, place: SetupPlace | None) -> tuple[UUID | None, OrganisationRef | None]:
    if place is None:
        return None, None
    return (place.area_id, None) if role in AREA_ROLES else (None, OrganisationRef(row.get("organisation").upper(), place.pk))


def _role(row: PlannedSetupRow) -> Role | None:
    text = row.get("role")
    role = _ROLES.get(text.casefold())
    if role is None and "role" not in row.errors:
        row.refuse(
            "role", "Skriv rollens namn som i portalen, till exempel ID-administratör." if text else "Ange behörighetsroll."
        )
    return role


def _person(row: PlannedSetupRow, existing: ExistingSetup) -> Person | None:
    """Returns the holder, if the actor sees the assignment and may give the person roles. Hidden and missing people get the
    same error.
    """
    text = row.get("hsa_id")
    person = existing.people.get(text.upper())
    if person is None and "hsa_id" not in row.errors:
        row.refuse("hsa_id", f"Personen {MISSING}" if text else "Ange personens tjänste-id.")
    return person


def _place(row: PlannedSetupRow, existing: ExistingSetup, role: Role) -> SetupPlace | None:
    """Returns the place of the role. Returns None for a global role, and after recording an error."""
    place_field = "" if role in GLOBAL_ROLES else "area" if role in AREA_ROLES else "organisation"
    for field, words in (("organisation", "organisation"), ("area", "utgivningsområde")):
        text = row.get(field)
        if text and field != place_field:
            row.refuse(field, f"Rollen gäller inte en{'' if field == 'organisation' else 't'} {words}. Lämna cellen tom.")
        if not text and field == place_field:
            row.refuse(field, "Ange organisationens HSA-id." if field == "organisation" else "Ange utgivningsområdets namn.")
    text = row.get(place_field)
    if not place_field or row.errors:
        return None
    found = existing.area(text) if place_field == "area" else existing.places.get(text.upper())
    if found is None:
        row.refuse(place_field, f"{'Utgivningsområdet' if place_field == 'area' else 'Organisationen'} {MISSING}")
    elif found.ended:
        row.refuse(place_field, f"Organisationen {ENDED}")
    elif Action.ASSIGN_ROLE not in found.rights:
        row.refuse(place_field, _NO_RIGHT)
    return found


def _period(row: PlannedSetupRow) -> Period:
    """Returns the row's days. A first day in the past means that the role applies now, because files of present roles have such
    days.
    """
    first = row.day("valid_from")
    return Period(None if first is not None and first <= clock.today() else first, row.day("valid_to"))


def _overlap(one: Period, other: Period) -> bool:
    """Returns whether the periods share a day."""
    latest_first = max(one.first or dt.date.min, other.first or dt.date.min)
    return latest_first <= min(one.last or dt.date.max, other.last or dt.date.max)


def _plan(
    row: PlannedSetupRow, existing: ExistingSetup, actor: Actor, step: RoleChange, person: Person, place: SetupPlace | None
) -> None:
    """Sets the outcome of a row with valid values."""
    held = [grant for grant in existing.grants.get((person.pk, step.role.value), []) if _is_in(grant, step.role, place)]
    same = [grant for grant in held if _same(grant, step)]
    if same:
        row.summary, row.depends_on = "Finns redan", (str(same[0].pk), str(same[0].version))
        return
    _require_assignable(row, actor, step, person, place)
    try:
        begin, end = moments(step.period)
    except Invalid as error:
        row.take(error, field="valid_from")
        return
    if any(overlap(RoleGrant(valid_from=begin, valid_to=end), grant) for grant in held):
        row.refuse("role", "Personen har redan rollen där, med andra uppgifter. Ändra den på personens sida.")
    areas = existing.post_areas.get(person.pk, set())
    if not areas or (place is not None and place.area_id not in areas):
        row.refuse("hsa_id", "Personen har inget giltigt uppdrag i utgivningsområdet. Kontrollera HSA-katalogen.")
    if row.errors:
        return
    where = place.name if place else "hela portalen"
    row.outcome, row.change = RowOutcome.CREATE, step
    add_on = " med Sekretess" if step.protected_persons else ""
    row.summary = f"{person.given_name_in_use} {person.surname} får rollen {ROLE[step.role.value]}{add_on} i {where}"
    row.depends_on = (str(person.pk), _key(row, place))


def _require_assignable(row: PlannedSetupRow, actor: Actor, step: RoleChange, person: Person, place: SetupPlace | None) -> None:
    if policy.is_own_matter(actor, Action.ASSIGN_ROLE, person.pk):
        row.refuse("hsa_id", "Du kan inte ge dig själv en roll.")
    path = place.scope_path if place else _EVERYWHERE
    if not policy.may_assign(actor, step.role, path, protected_persons=False):
        row.refuse("role", _NO_RIGHT)
    elif not policy.may_assign(actor, step.role, path, protected_persons=step.protected_persons):
        row.refuse("protected_persons", "Din behörighetsroll tillåter inte att du ger tilläggsrollen Sekretess.")
    if person.deceased:
        row.refuse("hsa_id", "Personen är avliden enligt personregistret och kan inte få en roll.")


def _is_in(grant: RoleGrant, role: Role, place: SetupPlace | None) -> bool:
    if place is None:
        return grant.area_id is None and grant.organisation_id is None
    return place.pk is not None and place.pk == (grant.area_id if role in AREA_ROLES else grant.organisation_id)


def _same(grant: RoleGrant, step: RoleChange) -> bool:
    """Returns whether the existing role is the one in the row: in effect, or beginning on the row's first day."""
    first = grant.valid_from.astimezone(clock.STOCKHOLM).date()
    return (
        grant.protected_persons == step.protected_persons
        and grant.valid_to == (clock.end_of_day(step.period.last) if step.period.last else None)
        and (step.period.first == first if step.period.first else grant.valid_from <= clock.now())
    )
