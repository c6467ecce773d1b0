"""Roles of persons (behörighetsroller, rules/issuance 1), given and ended by superiors in their scope, never for themselves.

Every change of a person's roles locks the person first, so of two concurrent changes the later sees the earlier.
"""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, cast
from uuid import UUID

from django.db import transaction
from django.db.models import F, QuerySet

from authn import service as authn
from issuance.authz import NOBODY, Action, Actor, Role, ScopedQuerySet, policy
from issuance.authz.roles import AREA_ROLES, GLOBAL_ROLES
from issuance.organisations.models import IssuingArea, Organisation
from issuance.organisations.services.holding import hold_organisations
from issuance.people.models.persons import Person
from issuance.records.models.events import Event
from issuance.records.services.editing import Change, Outdated
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.role_requests import RoleRequest
from issuance.roles.services import ended_roles
from issuance.roles.services.actors import current, scope_path_of, valid_posts, with_post
from issuance.roles.services.role_periods import (
    ALWAYS,
    Period,
    end_of,
    is_over,
    last_day,
    last_day_of,
    moments,
    overlap,
    wrong_last_day,
)
from issuance.roles.services.subjects import subject_ref
from siths_portal.lib import clock
from siths_portal.lib.database.rows import the_only
from siths_portal.lib.errors import Conflict, Forbidden, Invalid, NotFound


def assign_role(
    *,
    actor: Actor,
    person_id: UUID,
    role: Role,
    area_id: UUID | None = None,
    organisation_id: UUID | None = None,
    protected_persons: bool = False,
    period: Period = ALWAYS,
) -> RoleGrant:
    """Gives a person a role: a global role without a place, a responsible issuer's in an area, any other in an organisation.

    Raises NotFound, Forbidden (role not below the actor's own, place outside the actor's scope, or own person), Invalid (place,
    period), Conflict if the person already has the role in part of that period or has no assignment there.
    """
    if (area_id is not None) != (role in AREA_ROLES) or (organisation_id is None) != (role in GLOBAL_ROLES | AREA_ROLES):
        raise _wrong_reach()
    reach = [one for one in (area_id, organisation_id) if one is not None]
    return assign_roles(
        actor=actor, person_id=person_id, role=role, reach=reach, protected_persons=protected_persons, period=period
    )[0]


@transaction.atomic(durable=True)
def assign_roles(
    *,
    actor: Actor,
    person_id: UUID,
    role: Role,
    reach: Sequence[UUID],
    protected_persons: bool = False,
    period: Period = ALWAYS,
) -> list[RoleGrant]:
    """Gives a person a role in each of several organisations, all or none.

    A responsible issuer's role takes areas, a global one no place.

    Raises what `assign_role` raises.
    """
    return give(actor=actor, person_id=person_id, role=role, reach=reach, protected_persons=protected_persons, period=period)


def give(
    *,
    actor: Actor,
    person_id: UUID,
    role: Role,
    reach: Sequence[UUID],
    protected_persons: bool = False,
    period: Period = ALWAYS,
) -> list[RoleGrant]:
    """Does the work of `assign_roles` in the caller's transaction.

    Persons cannot give global roles directly (`role_requests`).
    """
    if role in GLOBAL_ROLES and actor.kind != "system":
        raise Forbidden("role-needs-request", "En global roll begärs, och en annan person godkänner den.")
    begin, end = moments(period)
    if bool(reach) == (role in GLOBAL_ROLES) or len(set(reach)) != len(reach):
        raise _wrong_reach()
    person = policy.get(actor, Action.ASSIGN_ROLE, Person.objects.select_for_update(of=("self",), no_key=True), person_id)
    given = [
        RoleGrant(
            person=person, role=role.value, area=area, organisation=organisation, protected_persons=protected_persons,
            valid_from=begin, valid_to=end,
        )
        for area, organisation in _places(actor, role, reach)
    ]  # fmt: skip
    return _insert(actor, person, given)


def give_approved(*, actor: Actor, request: RoleRequest) -> RoleGrant:
    """Gives the role of a request that the actor approves. The caller's transaction has locked request and person.

    A first day that has passed is replaced by today. Raises what `assign_roles` raises.
    """
    first = request.first_day if request.first_day and request.first_day > clock.today() else None
    grant = _planned(request.person, Role(request.role), request.protected_persons, Period(first, request.last_day))
    return _insert(actor, request.person, [grant], role_request=str(request.pk))[0]


def require_may_hold(actor: Actor, person: Person, role: Role, *, protected_persons: bool, period: Period) -> None:
    """Raises what `assign_roles` raises unless the actor could give the locked person this global role."""
    _require_givable(actor, person, [_planned(person, role, protected_persons, period)])


def _planned(person: Person, role: Role, protected_persons: bool, period: Period) -> RoleGrant:
    begin, end = moments(period)
    return RoleGrant(person=person, role=role.value, protected_persons=protected_persons, valid_from=begin, valid_to=end)


def _insert(actor: Actor, person: Person, grants: Sequence[RoleGrant], **facts: Any) -> list[RoleGrant]:
    """Inserts grants of one role of the locked person, with their events. Raises what `assign_roles` raises."""
    _require_givable(actor, person, grants)
    made = RoleGrant.objects.bulk_create(grants)
    for grant in made:
        _record(actor, "role.assigned", grant, **_grant_facts(grant), **facts)
    return made


def _require_givable(actor: Actor, person: Person, grants: Sequence[RoleGrant]) -> None:
    for grant in grants:
        policy.require_assignable(actor, Role(grant.role), scope_path_of(grant), protected_persons=grant.protected_persons)
    if person.deceased:
        raise Conflict("role-of-deceased", "Personen är avliden enligt personregistret och kan inte få en roll.")
    _require_posts(person, grants)
    for role in {Role(grant.role) for grant in grants}:
        _require_not_held(person, role, grants)


@transaction.atomic(durable=True)
def change_role(*, actor: Actor, grant_id: UUID, version: int, protected_persons: bool, last: dt.date | None) -> RoleGrant:
    """Sets a role's add-on for protected persons and its last day. Equal values change nothing.

    The change takes effect with the next request, and ends at once the running activations that no role covers any more. Raises
    NotFound, Forbidden like `assign_role`, Invalid (last day), Conflict if the role has ended, Outdated if it was changed since
    `version`.
    """
    grant = _locked(actor, [grant_id])[0]
    policy.require_assignable(actor, Role(grant.role), scope_path_of(grant), protected_persons=protected_persons)
    if is_over(grant):
        raise Conflict("role-ended", "Rollen är redan avslutad.")
    end = end_of(last)
    if end is not None and end <= max(grant.valid_from, clock.now()):
        raise wrong_last_day()
    _require_narrower(actor, grant, protected_persons=protected_persons, end=end)
    before = _grant_facts(grant)
    changed = [
        name for name, value in (("protected_persons", protected_persons), ("valid_to", end)) if getattr(grant, name) != value
    ]
    if not changed:
        return grant
    if grant.version != version:
        now = {"protected_persons": grant.protected_persons, "valid_to": _day(last_day_of(grant))}
        raise Outdated(grant.version, _changes_since(grant, version), now)
    grant.protected_persons, grant.valid_to, grant.version = protected_persons, end, grant.version + 1
    _require_not_held(grant.person, Role(grant.role), [grant])
    grant.save(update_fields=["protected_persons", "valid_to", "version"])
    ended_roles.end_at_once(grant.person_id, actor_ref=actor.ref)
    _record(actor, "role.changed", grant, version=grant.version, before=before, after=_grant_facts(grant))
    return grant


def _require_narrower(actor: Actor, grant: RoleGrant, *, protected_persons: bool, end: dt.datetime | None) -> None:
    """Raises Forbidden if a person extends a global role beyond what was approved."""
    if Role(grant.role) not in GLOBAL_ROLES or actor.kind == "system":
        return
    longer = grant.valid_to is not None and (end is None or end > grant.valid_to)
    for name, wider in (("protected_persons", protected_persons and not grant.protected_persons), ("valid_to", longer)):
        if wider:
            message = "En global roll kan bara begränsas här. Ta bort rollen och begär den igen, så godkänner en annan person."
            raise Forbidden("role-needs-request", message, fields={name: [message]})


def _changes_since(grant: RoleGrant, version: int) -> list[Change]:
    """Returns the changes after `version`, oldest first. The end of the role is given as its last day."""
    events = Event.objects.filter(
        action="role.changed", subject_type="person", subject_ref=str(grant.person_id), facts__grant=str(grant.pk),
        facts__version__gt=version,
    )  # fmt: skip
    found = []
    for event in events.order_by("id"):
        before, after = event.facts["before"], event.facts["after"]
        for name in ("protected_persons", "valid_to"):
            if before[name] != after[name]:
                values = [_day(last_day(each[name])) if name == "valid_to" else each[name] for each in (before, after)]
                found.append(Change(event.at, event.actor_ref, name, *values))
    return found


def _day(day: dt.date | None) -> str | None:
    return day.isoformat() if day else None


def end_role(*, actor: Actor, grant_id: UUID) -> RoleGrant:
    """Ends a role at once, and with it the person's sessions and the activations that it allowed (S06).

    Does nothing if it has ended.

    Raises NotFound, Forbidden like `assign_role`, except that an actor may end a role whose add-on they could not give (ADR
    0186).
    """
    return end_roles(actor=actor, grant_ids=[grant_id])[0]


@transaction.atomic(durable=True)
def end_roles(*, actor: Actor, grant_ids: Sequence[UUID]) -> list[RoleGrant]:
    """Ends several roles of one person like `end_role`, all or none. A role that has not begun does not end the sessions.

    Also ends dormant roles of a person who has left the actor's scope, because nobody else could (ADR 0036).
    """
    grants = _locked(actor, grant_ids, to_end=True)
    ending = [grant for grant in grants if not is_over(grant)]
    now = clock.now()
    in_force = any(grant.valid_from <= now for grant in ending)
    for grant in ending:
        grant.valid_to, grant.version = now, grant.version + 1
    RoleGrant.objects.filter(pk__in=[grant.pk for grant in ending]).update(valid_to=now, version=F("version") + 1)
    if in_force:
        person_id = ending[0].person_id
        authn.end_sessions(subject_ref(person_id), reason=authn.ROLE_ENDED, actor_ref=actor.ref)
        ended_roles.end_at_once(person_id, actor_ref=actor.ref)
    for grant in ending:
        _record(actor, "role.ended", grant, **_grant_facts(grant))
    return grants


def _locked(actor: Actor, grant_ids: Sequence[UUID], *, to_end: bool = False) -> list[RoleGrant]:
    """Locks and returns grants of one person that the actor may give, and their person. Raises NotFound, Forbidden.

    With `to_end`, the actor may end them. The actor then need not see the person if each grant is dormant and the actor may end
    it.
    """
    ids = sorted(set(grant_ids))
    holders = set(RoleGrant.objects.filter(pk__in=ids).values_list("person_id", flat=True))
    # An unknown id causes the same queries as a hidden one.
    holder = holders.pop() if len(holders) == 1 else NOBODY
    left = not _lock_holder(actor, holder, of_leavers=to_end)
    rows = RoleGrant.objects.select_for_update(of=("self",), no_key=True).select_related("person", "area", "organisation")
    grants = list(rows.filter(pk__in=ids).order_by("pk"))
    if len(grants) != len(ids):
        raise policy.not_found()
    if left and (with_post(RoleGrant.objects.filter(pk__in=ids)).exists() or not all(_may_end(actor, grant) for grant in grants)):
        raise policy.not_found()
    for grant in grants:
        role, path = Role(grant.role), scope_path_of(grant)
        if to_end:
            policy.require_may_end(actor, role, path)
        else:
            policy.require_assignable(actor, role, path, protected_persons=grant.protected_persons)
    return grants


def _lock_holder(actor: Actor, person_id: UUID, *, of_leavers: bool) -> bool:
    """Locks a person. Returns False if the actor does not see the person, which only `of_leavers` allows.

    Raises NotFound, Forbidden.
    """
    people = Person.objects.select_for_update(of=("self",), no_key=True)
    try:
        policy.get(actor, Action.ASSIGN_ROLE, people, person_id)
    except NotFound:
        others = people.filter(pk=person_id).exclude(pk=actor.own_id)
        if not policy.reach_of_protected(actor, Action.ASSIGN_ROLE):
            others = others.filter(is_protected=False)
        if not of_leavers or the_only(others) is None:
            raise
        return False
    return True


def _may_end(actor: Actor, grant: RoleGrant) -> bool:
    return policy.may_end_of_leaver(actor, Role(grant.role), scope_path_of(grant), protected=grant.person.is_protected)


def _places(actor: Actor, role: Role, reach: Sequence[UUID]) -> Iterable[tuple[IssuingArea | None, Organisation | None]]:
    """Returns area and organisation of each grant.

    Policy errors are raised for places that the actor does not see or may not give in.
    """
    if role in GLOBAL_ROLES:
        return [(None, None)]
    if role in AREA_ROLES:
        return [(row, None) for row in _all(actor, IssuingArea.objects.all(), reach)]
    hold_organisations(reach)
    return [(None, row) for row in _all(actor, Organisation.objects.select_related("area"), reach)]


def _all[M: IssuingArea | Organisation](actor: Actor, rows: QuerySet[M], reach: Sequence[UUID]) -> list[M]:
    """Returns the rows with these ids in which the actor may assign roles. Raises like `policy.get` for the first other id."""
    seen = cast(ScopedQuerySet[M], rows).visible_to(actor, Action.ASSIGN_ROLE)
    found = {row.pk: row for row in seen.filter(pk__in=reach)}
    missing = next((pk for pk in reach if pk not in found), None)
    if missing is not None:
        policy.get(actor, Action.ASSIGN_ROLE, rows, missing)
        raise policy.not_found()
    return [found[pk] for pk in reach]


def with_posts_in(area_id: UUID, person_ids: Iterable[UUID]) -> set[UUID]:
    """Returns the persons who have a valid assignment in the area, which a role there requires (rules/issuance 1.3).

    Callers pass only persons whom the actor sees, because the result reveals assignments.
    """
    posts = valid_posts().filter(person__in=list(person_ids), organisation__area=area_id)
    return set(posts.values_list("person_id", flat=True))


def _require_posts(person: Person, grants: Sequence[RoleGrant]) -> None:
    """Raises Conflict unless the person has a valid assignment in each grant's area, or for a global role anywhere.

    The rule is rules/issuance 1.3.
    """
    areas = set(valid_posts().filter(person=person).values_list("organisation__area_id", flat=True))
    for grant in grants:
        needed = grant.area_id or (grant.organisation.area_id if grant.organisation else None)
        if not areas or (needed is not None and needed not in areas):
            message = "Personen har inget giltigt uppdrag i utgivningsområdet och kan inte få rollen. Kontrollera HSA-katalogen."
            raise Conflict("role-without-post", message)


def _require_not_held(person: Person, role: Role, grants: Sequence[RoleGrant]) -> None:
    """Raises Conflict if the locked person holds the role in one of the places at any time in the grants' periods."""
    held = RoleGrant.objects.filter(person=person, role=role.value).exclude(pk__in=[grant.pk for grant in grants])
    rows = list(current(held))
    for grant in grants:
        for other in rows:
            if (other.area_id, other.organisation_id) == (grant.area_id, grant.organisation_id) and overlap(grant, other):
                place = grant.organisation or grant.area
                where = f"i {place.name}" if place else "i hela portalen"
                raise Conflict("role-exists", f"Personen har redan rollen {where} under samma tid.")


def _wrong_reach() -> Invalid:
    message = (
        "Rollen kan inte ges här. Ansvarig utgivare ges för ett utgivningsområde, globala roller för hela portalen och andra "
        "roller för en organisation."
    )
    return Invalid("role-reach", message, fields={"role": [message]})


def _grant_facts(grant: RoleGrant) -> dict[str, Any]:
    """Returns the facts of an event on a grant."""
    return {
        "protected_persons": grant.protected_persons,
        "valid_from": grant.valid_from.isoformat(),
        "valid_to": grant.valid_to.isoformat() if grant.valid_to else None,
    }


def _record(actor: Actor, action: str, grant: RoleGrant, **facts: Any) -> None:
    place = {name: str(pk) for name, pk in (("area", grant.area_id), ("organisation", grant.organisation_id)) if pk}
    Event.record(
        actor_ref=actor.ref,
        action=action,
        subject_type="person",
        subject_ref=str(grant.person_id),
        facts={"grant": str(grant.id), "role": grant.role, **place, "scope_path": scope_path_of(grant), **facts},
    )
