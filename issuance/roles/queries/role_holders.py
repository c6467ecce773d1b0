"""All role holders with training and last login, and the role holders to follow up (rules/issuance 1.4)."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from operator import or_
from uuid import UUID

from django.conf import settings
from django.db.models import BooleanField, Case, DateField, Exists, OuterRef, Q, QuerySet, Subquery, Value, When
from django.db.models.functions import Coalesce, Lower

from authn import service as authn
from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import QUALIFIED_ROLES
from issuance.people.models.persons import Person
from issuance.records.domain import wording
from issuance.roles.domain import QualificationKind
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from issuance.roles.queries import qualifications, role_reach, role_words
from issuance.roles.queries.qualifications import KindLine, StandingView
from issuance.roles.queries.role_places import place_of
from issuance.roles.services import actors
from issuance.roles.services.actors import current
from issuance.roles.services.subjects import subject_ref
from issuance.search.domain.search_names import beginnings
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared
from siths_portal.lib.lists import Rows

MOST = 1_000
"""The limit to which role holders are counted."""

_PLACES = 3
_QUALIFIED = [role.value for role in QUALIFIED_ROLES]


@dataclass(frozen=True)
class RoleSummary:
    """A role in the actor's scope: its name, its first places by name, and the number of further places.

    `begins` is its first day if that is in the future.
    """

    name: str
    places: tuple[str, ...]
    more: int
    begins: dt.date | None = None


@dataclass(frozen=True)
class DormantRole:
    """A dormant role of a person who has left the actor's scope, with the id that its end page needs."""

    grant_id: UUID
    name: str


@dataclass(frozen=True)
class HolderLine:
    """A role holder with roles in the actor's scope, training, person check and last login.

    `rests` is True if one of these roles is dormant, because the holder has no assignment in its area (ADR 0036). `own` marks the
    actor.
    """

    person_id: UUID
    name: str
    roles: tuple[RoleSummary, ...]
    lines: tuple[KindLine, ...]
    standing: StandingView | None
    rests: bool
    to_end: tuple[DormantRole, ...]
    last_log_in: dt.datetime | None
    opens: bool
    own: bool


class Shown(StrEnum):
    """The role holders that a list shows, with the value in the URL."""

    ALL = "alla"
    FOLLOW_UP = "folj-upp"
    BLOCKED = "stoppade"
    RESTING = "vilande"


@dataclass(frozen=True)
class Choice:
    """The filters of the list: `shown`, a role, an area, and the beginning of a name.

    `name` has the form that `parse_name` returns. An empty filter does not restrict.
    """

    shown: Shown = Shown.ALL
    role: str = ""
    area_id: UUID | None = None
    name: str = ""

    @property
    def grants(self) -> Q:
        """The condition on a role that lists its holder."""
        there = role_reach.of_areas(self.area_id) if self.area_id else ~Q(pk__in=[])
        return there & Q(role=self.role) if self.role else there


EVERYBODY = Choice()

_NEVER = dt.date(1, 1, 1)


def holders(*, actor: Actor, choice: Choice = EVERYBODY) -> Rows[Person, HolderLine]:
    """Returns the role holders in the actor's scope that match `choice`. Raises Forbidden.

    Callers may sort by `sort_name`, `check_passed` and `training_passed`. A missing person check or training sorts as the oldest.
    """
    people = _people(actor, choice).annotate(
        check_passed=_passed(QualificationKind.PERSON_CHECK),
        training_passed=_passed(QualificationKind.TRAINING),
        held=actors.newest_qualifications("pk"),
        opens=Exists(Person.objects.visible_to(actor, Action.ASSIGN_ROLE).filter(pk=OuterRef("pk"))),
    )
    return Rows(people, lambda found: _lines(actor, found))


def _lines(actor: Actor, found: Sequence[Person]) -> list[HolderLine]:
    ids = [row.pk for row in found]
    awake = actors.awake_by_person(ids)
    resting = _with_dormant_role(actor, ids, [grant.pk for grants in awake.values() for grant in grants])
    summaries = role_summaries(role_reach.in_reach(actor), ids)
    to_end = _to_end(actor, [row for row in found if row.pk in resting and not row.opens])  # type: ignore[attr-defined]
    log_ins = authn.last_log_ins(subject_ref(pk) for pk in ids)
    rows = []
    for row in found:
        held = actors.held_of(row.held)  # type: ignore[attr-defined]
        rows.append(
            HolderLine(
                person_id=row.pk,
                name=f"{row.surname}, {row.given_name_in_use}",
                roles=tuple(summaries.get(row.pk, ())),
                lines=qualifications.lines(held),
                standing=qualifications.standing(held, awake.get(row.pk, [])),
                rests=row.pk in resting,
                to_end=tuple(to_end.get(row.pk, ())),
                last_log_in=log_ins.get(subject_ref(row.pk)),
                opens=row.opens and row.pk != actor.person_id,  # type: ignore[attr-defined]
                own=row.pk == actor.person_id,
            )
        )
    return rows


def to_follow_up(*, actor: Actor) -> int:
    """Counts the role holders in the actor's scope who need follow-up, up to MOST. Raises Forbidden."""
    return len(_following_up(actor, _soon()))


@prepared
def _following_up(actor: Actor, soon: dt.date) -> QuerySet[Person, UUID]:
    return _with_follow_up(actor, _people(actor, EVERYBODY), EVERYBODY, soon).order_by().values_list("pk", flat=True)[:MOST]


def _people(actor: Actor, choice: Choice) -> QuerySet[Person]:
    own = Exists(_own_grants(actor, role_reach.in_reach(actor)).filter(choice.grants))
    seen = Person.objects.visible_to(actor).filter(pk=OuterRef("pk"))
    left = current(RoleGrant.objects.filter(role_reach.of_protected_leavers(actor), person=OuterRef("pk")))
    named = Q(is_protected=False) | Q(Exists(seen)) | Q(Exists(left))
    return _shown(actor, _with_name_beginning(Person.objects.filter(own).filter(named), choice.name), choice)


def _with_name_beginning(people: QuerySet[Person], name: str) -> QuerySet[Person]:
    """Filters people by the beginning of the name, using the index of the name search (ADR 0077)."""
    if not name:
        return people
    begins = reduce(or_, (Q(lower_name__startswith=beginning) for beginning in beginnings(name)))
    return people.alias(lower_name=Lower("sort_name")).filter(begins)


def _own_grants(actor: Actor, reach: Q) -> QuerySet[RoleGrant]:
    rows: QuerySet[RoleGrant] = current(RoleGrant.objects.filter(reach, person=OuterRef("pk")))
    return rows


def _dormant(actor: Actor) -> QuerySet[RoleGrant]:
    """Selects begun roles in the actor's scope whose holder has no assignment in the role's area."""
    return actors.without_post(actors.in_force(RoleGrant.objects.filter(role_reach.in_reach(actor))))


def _with_dormant_role(actor: Actor, ids: Sequence[UUID], awake: Sequence[UUID]) -> set[UUID]:
    """Returns those of a page's people who have a dormant role. `awake` are their roles that are not dormant.

    Applying `_dormant` to each person of the list would read the assignments of everybody.
    """
    rows = actors.in_force(RoleGrant.objects.filter(role_reach.in_reach(actor), person__in=ids)).exclude(pk__in=awake)
    return set(rows.values_list("person_id", flat=True))


def role_summaries(reach: Q, ids: Sequence[UUID]) -> dict[UUID, list[RoleSummary]]:
    """Returns each person's roles within `reach` with their places, the widest role first; coming roles by first day."""
    places: dict[tuple[UUID, str, dt.date | None], set[str]] = {}
    now = clock.now()
    for grant in current(RoleGrant.objects.filter(reach, person__in=ids)).select_related("area", "organisation"):
        begins = wording.day(grant.valid_from) if grant.valid_from > now else None
        places.setdefault((grant.person_id, grant.role, begins), set()).add(place_of(grant))
    order = [role.value for role in Role]
    found: dict[UUID, list[RoleSummary]] = {}
    for (person_id, code, begins), names in sorted(
        places.items(), key=lambda item: (order.index(item[0][1]), item[0][2] or dt.date.min)
    ):
        first = tuple(sorted(names)[:_PLACES])
        found.setdefault(person_id, []).append(RoleSummary(role_words.name(code), first, len(names) - len(first), begins))
    return found


def _to_end(actor: Actor, people: Sequence[Person]) -> dict[UUID, list[DormantRole]]:
    """Returns the dormant roles of people who have left the actor's scope, one per role, if the actor may end them (ADR 0036)."""
    protected = {person.pk: person.is_protected for person in people if person.pk != actor.person_id}
    if not protected:
        return {}
    rows = actors.without_post(current(RoleGrant.objects.filter(role_reach.in_reach(actor), person__in=protected)))
    found: dict[UUID, dict[str, DormantRole]] = {}
    for grant in rows.select_related("area", "organisation").order_by("pk"):
        role, path = Role(grant.role), actors.scope_path_of(grant)
        if policy.may_end_of_leaver(actor, role, path, protected=protected[grant.person_id]):
            found.setdefault(grant.person_id, {}).setdefault(grant.role, DormantRole(grant.pk, role_words.name(grant.role)))
    return {person_id: list(roles.values()) for person_id, roles in found.items()}


def _shown(actor: Actor, people: QuerySet[Person], choice: Choice) -> QuerySet[Person]:
    """Applies the filter `choice.shown`. The conditions on training are those of `domain.standing` in SQL."""
    if choice.shown == Shown.ALL:
        return people
    if choice.shown == Shown.RESTING:
        return people.filter(pk__in=_dormant(actor).filter(choice.grants).values("person"))
    if choice.shown == Shown.FOLLOW_UP:
        return _with_follow_up(actor, people, choice, _soon())
    return _lacking(people, Q(first_due__lt=clock.today()))


def _soon() -> dt.date:
    return clock.today() + dt.timedelta(days=settings.QUALIFICATION_SOON_DAYS)


def _with_follow_up(actor: Actor, people: QuerySet[Person], choice: Choice, soon: dt.date) -> QuerySet[Person]:
    """Selects people with a qualification to renew or a dormant role, by a union, because one condition with OR would read the
    records and assignments of everybody.
    """
    resting = _dormant(actor).filter(choice.grants).values("person")
    lacking = _lacking(people, Q(first_due__lte=soon))
    return Person.objects.filter(pk__in=lacking.values("pk").union(people.filter(pk__in=resting).values("pk")))


def _lacking(people: QuerySet[Person], due: Q) -> QuerySet[Person]:
    """Selects holders of issuing roles with the condition `due` on `first_due`.

    PostgreSQL computes the `Case` only for people who are due. It would check a plain condition for all role holders first.
    """
    issuing = actors.with_post(current(RoleGrant.objects.filter(person=OuterRef("pk"), role__in=_QUALIFIED)))
    issues = Case(When(Exists(issuing), then=True), default=False, output_field=BooleanField())
    return people.alias(first_due=qualifications.first_due(), issues=issues).filter(due, issues=True)


def _passed(kind: QualificationKind) -> Coalesce:
    """Returns an expression for the day of the newest record, long ago without one. It reads only the unique index."""
    rows = Qualification.objects.filter(person=OuterRef("pk"), kind=kind.value, withdrawn_at=None).order_by("-passed_on")
    return Coalesce(Subquery(rows.values("passed_on")[:1]), Value(_NEVER), output_field=DateField())
