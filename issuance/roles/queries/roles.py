"""The roles of an organisation and of a person, in places where the actor may give and end roles.

Actors who may not see a holder with protected identity never see that holder's roles, not even in counts (S13).
"""

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Case, Exists, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import AREA_ROLES, GLOBAL_ROLES
from issuance.organisations.models import Organisation
from issuance.people.models.persons import Person
from issuance.person_page.queries import person_view
from issuance.person_page.queries.page_parts import PersonHead
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import qualifications, role_reach, role_words
from issuance.roles.queries.qualifications import QualificationsView
from issuance.roles.queries.role_places import place_of
from issuance.roles.services.actors import current, scope_path_of, with_post
from issuance.roles.services.role_periods import last_day_of
from siths_portal.lib import clock
from siths_portal.lib.ids import ids_of
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class GrantLine:
    """A role of a person in one place. `last` is its last day; `begins` its first day if that is in the future.

    `rests`: the role is dormant, because it has begun but its holder has no valid assignment in the area. `holder` is the name as
    lists show it, surname first. `may_protect`: the actor may give it the add-on. `may_end`: the actor may end it, even with an
    add-on that they may not give and therefore not change (ADR 0186). `left`: the role is dormant and its holder has left the
    actor's scope, so the actor can only end it (ADR 0036).
    """

    id: UUID
    person_id: UUID
    holder: str
    role: str
    role_text: str
    protected_persons: bool
    place: str
    place_number: str
    begins: dt.date | None
    last: dt.date | None
    rests: bool
    opens_person: bool
    may_change: bool
    may_protect: bool
    may_end: bool
    left: bool
    version: int

    @property
    def mark(self) -> str:
        """The id and version of the role, by which a form detects changes."""
        return f"{self.id}.{self.version}"


@dataclass(frozen=True)
class AlikeChanges:
    """The changes of a person's identical roles since a page showed them, by place: new, changed, and removed."""

    given: tuple[str, ...]
    changed: tuple[str, ...]
    gone: tuple[str, ...]


@dataclass(frozen=True)
class RoleGroup:
    """A person's role of one kind, with all its places. `coming` marks roles that have not begun. `key` is its id on the page."""

    key: str
    code: str
    role: str
    protected_persons: bool
    reach: str
    grants: tuple[GrantLine, ...]
    coming: bool

    @property
    def ends(self) -> tuple[GrantLine, ...]:
        """The grants that the actor may end."""
        return tuple(grant for grant in self.grants if grant.may_end)

    @property
    def may_grow(self) -> bool:
        """True if the actor may give the role in further places."""
        return any(grant.may_change for grant in self.grants)


@dataclass(frozen=True)
class PersonRoles:
    """A person's roles in the actor's scope, and their qualifications. `coming` are the roles that have not begun."""

    head: PersonHead
    groups: tuple[RoleGroup, ...]
    coming: tuple[RoleGroup, ...]
    qualifications: QualificationsView


def organisation(*, actor: Actor, organisation_id: UUID | str) -> Organisation:
    """Returns an organisation in which the actor may assign roles. Raises NotFound, Forbidden."""
    return policy.get(actor, Action.ASSIGN_ROLE, Organisation.objects, organisation_id)


def person(*, actor: Actor, person_id: UUID | str) -> PersonHead:
    """Returns the head of a person to whom the actor may give roles.

    Raises NotFound, Forbidden, also for the actor's own person.
    """
    found = policy.get(actor, Action.ASSIGN_ROLE, Person.objects, person_id)
    return person_view.person_head(actor=actor, person_id=found.pk)


_NO_END = dt.datetime(9999, 1, 1, tzinfo=dt.UTC)


def of_organisation(*, actor: Actor, organisation: Organisation) -> Rows[RoleGrant, GrantLine]:
    """Returns the roles in an organisation, where the actor may assign roles, and in those below it.

    Callers may sort by holder, `role_place`, organisation and `until`, where a role without a last day is the last.
    """
    below = Q(organisation__scope_path__startswith=organisation.scope_path)
    rows = _grants(actor).filter(below).annotate(role_place=_by_name(), until=Coalesce("valid_to", Value(_NO_END)))
    return Rows(rows, lambda found: [_line(actor, row) for row in found])


def of_person(*, actor: Actor, person_id: UUID | str) -> PersonRoles:
    """Returns the roles of a person. Raises NotFound, Forbidden, also for the actor's own person."""
    head = person(actor=actor, person_id=person_id)
    lines = [_line(actor, row) for row in _grants(actor).filter(person=head.id).order_by("valid_from", "pk")]
    present = _groups([line for line in lines if line.begins is None], coming=False)
    coming = _groups([line for line in lines if line.begins is not None], coming=True)
    return PersonRoles(head, present, coming, qualifications.of_person(actor=actor, person_id=head.id))


def grant(*, actor: Actor, grant_id: UUID | str, to_end: bool = False) -> GrantLine:
    """Returns a role for the page that changes it. Raises NotFound, also for an ended role, and Forbidden, also for one's own.

    With `to_end`, for the page that ends it, also returns a role whose add-on the actor may not give, or whose holder has `left`.
    """
    row = _grants(actor).filter(pk=grant_id).first()
    if row is None:
        raise policy.not_found()
    line = _line(actor, row)
    if to_end and line.left:
        return line
    policy.get(actor, Action.ASSIGN_ROLE, Person.objects, row.person_id)
    if to_end:
        policy.require_may_end(actor, Role(row.role), scope_path_of(row))
    else:
        policy.require_assignable(actor, Role(row.role), scope_path_of(row), protected_persons=row.protected_persons)
    return line


def alike(*, actor: Actor, line: GrantLine) -> list[GrantLine]:
    """Returns the person's identical roles in all places where the actor may end them, beginning with this one."""
    rows = _grants(actor).filter(person_id=line.person_id, role=line.role, protected_persons=line.protected_persons)
    found = [_line(actor, row) for row in rows.exclude(pk=line.id).order_by("organisation__name", "pk")]
    return [line, *(other for other in found if other.may_end)]


def since_shown(*, actor: Actor, lines: Sequence[GrantLine], marks: Collection[str]) -> AlikeChanges | None:
    """Returns how `lines` (from `alike`) differ from those whose marks a page submitted, or None if they do not.

    Marks of other persons' roles or other kinds of role are ignored.
    """
    if {line.mark for line in lines} == set(marks):
        return None
    shown = set(ids_of([mark.partition(".")[0] for mark in marks]))
    first, gone = lines[0], shown - {line.id for line in lines}
    rows = RoleGrant.objects.filter(role_reach.in_reach(actor), role_reach.endable_holders(actor), pk__in=gone)
    found = rows.filter(person_id=first.person_id, role=first.role).select_related("area", "organisation")
    return AlikeChanges(
        given=tuple(line.place for line in lines if line.id not in shown),
        changed=tuple(line.place for line in lines if line.id in shown and line.mark not in marks),
        gone=tuple(sorted(place_of(row) for row in found)),
    )


def places_held(*, person_id: UUID, role: Role) -> set[UUID]:
    """Returns the organisations and areas in which a person has the role now or later."""
    rows = current(RoleGrant.objects.filter(person_id=person_id, role=role.value)).values_list("area_id", "organisation_id")
    return {pk for pair in rows for pk in pair if pk is not None}


def _grants(actor: Actor) -> QuerySet[RoleGrant]:
    """Selects current and coming roles in the actor's scope whose holders the actor may see by name."""
    rows = current(RoleGrant.objects.filter(role_reach.in_reach(actor), role_reach.endable_holders(actor)))
    seen = Person.objects.visible_to(actor, Action.ASSIGN_ROLE).filter(pk=OuterRef("person"))
    awake = with_post(RoleGrant.objects.filter(pk=OuterRef("pk")))
    found: QuerySet[RoleGrant] = rows.select_related("person", "area", "organisation").annotate(
        opens_person=Exists(seen), awake=Exists(awake)
    )
    return found


def _by_name() -> Case:
    """Returns the sort position of a role by its label."""
    ordered = sorted(Role, key=lambda role: role_words.name(role.value))
    return Case(*(When(role=role.value, then=Value(place)) for place, role in enumerate(ordered)), output_field=IntegerField())


def _line(actor: Actor, row: RoleGrant) -> GrantLine:
    first = row.valid_from.astimezone(clock.STOCKHOLM).date()
    role, path = Role(row.role), scope_path_of(row)
    opens = row.opens_person and actor.person_id != row.person_id  # type: ignore[attr-defined]
    left = _has_left(actor, row)
    return GrantLine(
        id=row.id,
        person_id=row.person_id,
        holder=f"{row.person.surname}, {row.person.given_name_in_use}",
        role=row.role,
        role_text=role_words.name(row.role),
        protected_persons=row.protected_persons,
        place=place_of(row),
        place_number=row.organisation.hsa_id if row.organisation else "",
        begins=first if row.valid_from > clock.now() else None,
        last=last_day_of(row),
        rests=not row.awake and row.valid_from <= clock.now(),  # type: ignore[attr-defined]
        opens_person=opens,
        may_change=opens and policy.may_assign(actor, role, path, protected_persons=row.protected_persons),
        may_protect=opens and policy.may_assign(actor, role, path, protected_persons=True),
        may_end=left or (opens and policy.may_end(actor, role, path)),
        left=left,
        version=row.version,
    )


def _has_left(actor: Actor, row: RoleGrant) -> bool:
    out_of_sight = not (row.opens_person or row.awake)  # type: ignore[attr-defined]
    takes = policy.may_end_of_leaver(actor, Role(row.role), scope_path_of(row), protected=row.person.is_protected)
    return out_of_sight and takes and row.person_id != actor.person_id


def _groups(lines: Sequence[GrantLine], *, coming: bool) -> tuple[RoleGroup, ...]:
    groups: dict[tuple[str, bool], list[GrantLine]] = {}
    for line in lines:
        groups.setdefault((line.role, line.protected_persons), []).append(line)
    order = list(Role)
    ordered = sorted(groups.items(), key=lambda item: (order.index(Role(item[0][0])), item[0][1]))
    return tuple(_group(code, protected, found, coming) for (code, protected), found in ordered)


def _group(code: str, protected: bool, found: Sequence[GrantLine], coming: bool) -> RoleGroup:
    role = Role(code)
    reach = "global" if role in GLOBAL_ROLES else "area" if role in AREA_ROLES else "organisation"
    return RoleGroup(
        key=f"{code}-{'1' if protected else '0'}{'-coming' if coming else ''}".replace("_", "-"),
        code=code,
        role=role_words.name(code),
        protected_persons=protected,
        reach=reach,
        grants=tuple(sorted(found, key=lambda line: line.place)),
        coming=coming,
    )
