"""Rows of role holders: who has the role already, and who will get it, by the rules of the pages (rules/issuance 1)."""

import datetime as dt
from collections.abc import Mapping
from uuid import UUID

from issuance.authz import Action, Actor, Role, policy
from issuance.authz.role_names import ROLE
from issuance.authz.roles import AREA_ROLES, GLOBAL_ROLES, RETIRED_ROLES
from issuance.imports.services.known import Known, Place
from issuance.imports.services.lines import ENDED, MISSING, PlannedRow, Ref, RoleStep, RowOutcome
from issuance.people.models.persons import Person
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.role_periods import Period, moments, overlap
from siths_portal.lib import clock
from siths_portal.lib.errors import Invalid

_ROLES: Mapping[str, Role] = {text.casefold(): Role(code) for code, text in ROLE.items() if code not in RETIRED_ROLES}
_EVERYWHERE = "/"
_NO_RIGHT = "Din behörighetsroll tillåter inte att du ger rollen här."


def plan(lines: list[PlannedRow], known: Known, actor: Actor) -> None:
    """Says what becomes of the lines; organisations have been planned."""
    given: dict[tuple[UUID, Role, str], list[Period]] = {}
    for line in lines:
        role = _role(line)
        period = _period(line)
        person = _person(line, known)
        protected = line.yes("protected_persons") or False
        place = _place(line, known, role) if role else None
        if line.wrong or role is None or person is None or (place is None and role not in GLOBAL_ROLES):
            continue
        key = (person.pk, role, _key(line, place))
        periods = given.setdefault(key, [])
        if any(_meet(period, other) for other in periods):
            line.refuse("role", "Rollen står på flera rader. Ta bort den ena.")
            continue
        periods.append(period)
        line.person_id = person.pk
        _plan(line, known, actor, RoleStep(person.pk, role, *_reach(line, role, place), protected, period), person, place)


def _key(line: PlannedRow, place: Place | None) -> str:
    return _EVERYWHERE if place is None else str(place.pk or line.row.get("organisation").upper())


def _reach(line: PlannedRow, role: Role, place: Place | None) -> tuple[UUID | None, Ref | None]:
    if place is None:
        return None, None
    return (place.area_id, None) if role in AREA_ROLES else (None, Ref(line.row.get("organisation").upper(), place.pk))


def _role(line: PlannedRow) -> Role | None:
    text = line.row.get("role")
    role = _ROLES.get(text.casefold())
    if role is None and "role" not in line.wrong:
        line.refuse(
            "role", "Skriv rollens namn som i portalen, till exempel ID-administratör." if text else "Ange behörighetsroll."
        )
    return role


def _person(line: PlannedRow, known: Known) -> Person | None:
    """The holder, if the actor sees the post and may give its person roles; a hidden one is answered as one who is not there."""
    text = line.row.get("hsa_id")
    person = known.people.get(text.upper())
    if person is None and "hsa_id" not in line.wrong:
        line.refuse("hsa_id", f"Personen {MISSING}" if text else "Ange personens tjänste-id.")
    return person


def _place(line: PlannedRow, known: Known, role: Role) -> Place | None:
    """Where the role is to hold; None for a global one, and after noting what is wrong."""
    wanted = "" if role in GLOBAL_ROLES else "area" if role in AREA_ROLES else "organisation"
    for field, words in (("organisation", "organisation"), ("area", "utgivningsområde")):
        text = line.row.get(field)
        if text and field != wanted:
            line.refuse(field, f"Rollen gäller inte en{'' if field == 'organisation' else 't'} {words}. Lämna cellen tom.")
        if not text and field == wanted:
            line.refuse(field, "Ange organisationens HSA-id." if field == "organisation" else "Ange utgivningsområdets namn.")
    text = line.row.get(wanted)
    if not wanted or line.wrong:
        return None
    found = known.area(text) if wanted == "area" else known.places.get(text.upper())
    if found is None:
        line.refuse(wanted, f"{'Utgivningsområdet' if wanted == 'area' else 'Organisationen'} {MISSING}")
    elif found.ended:
        line.refuse(wanted, f"Organisationen {ENDED}")
    elif Action.ASSIGN_ROLE not in found.rights:
        line.refuse(wanted, _NO_RIGHT)
    return found


def _period(line: PlannedRow) -> Period:
    """The row's days. A first day that has passed says that the role holds now: files of roles in force have such days."""
    first = _day(line, "valid_from")
    return Period(None if first is not None and first <= clock.today() else first, _day(line, "valid_to"))


def _meet(one: Period, other: Period) -> bool:
    """Returns whether the periods share a day."""
    latest_first = max(one.first or dt.date.min, other.first or dt.date.min)
    return latest_first <= min(one.last or dt.date.max, other.last or dt.date.max)


def _day(line: PlannedRow, field: str) -> dt.date | None:
    text = line.row.get(field)
    if not text:
        return None
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        line.refuse(field, "Skriv ett datum, till exempel 2026-11-25.")
        return None


def _plan(line: PlannedRow, known: Known, actor: Actor, step: RoleStep, person: Person, place: Place | None) -> None:
    """What becomes of a line whose values are understood."""
    held = [grant for grant in known.grants.get((person.pk, step.role.value), []) if _is_in(grant, step.role, place)]
    same = [grant for grant in held if _same(grant, step)]
    if same:
        line.told, line.bound = "Finns redan", (str(same[0].pk), str(same[0].version))
        return
    _require_assignable(line, actor, step, person, place)
    try:
        begin, end = moments(step.period)
    except Invalid as error:
        line.take(error, field="valid_from")
        return
    if any(overlap(RoleGrant(valid_from=begin, valid_to=end), grant) for grant in held):
        line.refuse("role", "Personen har redan rollen där, med andra uppgifter. Ändra den på personens sida.")
    areas = known.post_areas.get(person.pk, set())
    if not areas or (place is not None and place.area_id not in areas):
        line.refuse("hsa_id", "Personen har inget giltigt uppdrag i utgivningsområdet. Kontrollera katalogen.")
    if line.wrong:
        return
    where = place.name if place else "hela portalen"
    line.outcome, line.step = RowOutcome.MAKE, step
    add_on = " med Sekretess" if step.protected_persons else ""
    line.told = f"{person.given_name_in_use} {person.surname} får rollen {ROLE[step.role.value]}{add_on} i {where}"
    line.bound = (str(person.pk), _key(line, place))


def _require_assignable(line: PlannedRow, actor: Actor, step: RoleStep, person: Person, place: Place | None) -> None:
    if policy.is_own_matter(actor, Action.ASSIGN_ROLE, person.pk):
        line.refuse("hsa_id", "Du kan inte ge dig själv en roll.")
    path = place.scope_path if place else _EVERYWHERE
    if not policy.may_assign(actor, step.role, path, protected_persons=False):
        line.refuse("role", _NO_RIGHT)
    elif not policy.may_assign(actor, step.role, path, protected_persons=step.protected_persons):
        line.refuse("protected_persons", "Din behörighetsroll tillåter inte att du ger tilläggsrollen Sekretess.")
    if person.deceased:
        line.refuse("hsa_id", "Personen är avliden enligt personregistret och kan inte få en roll.")


def _is_in(grant: RoleGrant, role: Role, place: Place | None) -> bool:
    if place is None:
        return grant.area_id is None and grant.organisation_id is None
    return place.pk is not None and place.pk == (grant.area_id if role in AREA_ROLES else grant.organisation_id)


def _same(grant: RoleGrant, step: RoleStep) -> bool:
    """Whether the role is as the row has it: in force, or to begin on the row's first day."""
    first = grant.valid_from.astimezone(clock.STOCKHOLM).date()
    return (
        grant.protected_persons == step.protected_persons
        and grant.valid_to == (clock.end_of_day(step.period.last) if step.period.last else None)
        and (step.period.first == first if step.period.first else grant.valid_from <= clock.now())
    )
