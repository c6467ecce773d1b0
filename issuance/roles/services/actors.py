"""Builds actors from currently valid rows, for each request, without caching (S06)."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import BooleanField, Case, Exists, F, OuterRef, Q, QuerySet, When
from django.db.models.functions import Coalesce, JSONObject

from issuance.authz import Actor, Grant, Role, user
from issuance.authz.roles import GLOBAL_ROLES, QUALIFIED_ROLES
from issuance.people.models.persons import Post
from issuance.roles import domain as qualifications
from issuance.roles.domain import Held, QualificationKind
from issuance.roles.models.extended_reach import ExtendedReach
from issuance.roles.models.grants import RoleGrant
from issuance.roles.models.qualifications import Qualification
from siths_portal.lib import clock
from siths_portal.lib.database.prepared import prepared

_QUALIFIED = [role.value for role in QUALIFIED_ROLES]


def actor_of_person(person_id: UUID, *, hsa_id: str = "") -> Actor:
    """Returns the person as an actor with the grants that are valid now; without grants the actor sees nothing.

    `hsa_id` is that of the login. A role is dormant while its holder has no valid assignment in its area, or anywhere for a
    global role (rules/issuance 1.3). It issues nothing while training or person check is overdue. A deceased person has no
    grants.
    """
    grants = [_GrantColumns(*row) for row in _grants(person_id, user(person_id, ()).ref)]
    until = issues_until(grants, held_of(grants[0].held)) if grants else None
    blocked = until is not None and until < clock.today()
    reached = frozenset(grants[0].extended_persons) if grants else frozenset()
    held = tuple(_grant(row, blocked=blocked) for row in grants)
    return user(person_id, held, reached, hsa_id=hsa_id, issues_until=until)


_COLUMNS = (
    "role", "area__scope_path", "organisation__scope_path", "area__name", "organisation__name", "protected_persons", "valid_from",
    "extended_persons", "held",
)  # fmt: skip


class _GrantColumns(NamedTuple):
    """The columns in the order of `_COLUMNS`."""

    role: str
    area_path: str | None
    organisation_path: str | None
    area_name: str | None
    organisation_name: str | None
    protected_persons: bool
    valid_from: dt.datetime
    extended_persons: list[UUID]
    held: list[dict[str, str | None]]


@prepared
def _grants(person_id: UUID, owner_ref: str) -> QuerySet[RoleGrant, Any]:
    """Returns the columns of a person's valid roles, with the persons in the extended scope and the newest qualifications."""
    opened = ExtendedReach.objects.filter(owner_ref=owner_ref, until__gt=clock.now()).values("person_id")
    own = RoleGrant.objects.filter(person_id=person_id, person__deceased=False)
    rows = with_post(in_force(own)).annotate(extended_persons=ArraySubquery(opened), held=newest_qualifications("person"))
    return rows.order_by("id").values_list(*_COLUMNS)


def current(grants: QuerySet[RoleGrant], *, now: dt.datetime | None = None) -> QuerySet[RoleGrant]:
    """Filters grants that have not ended: current or coming."""
    return grants.filter(Q(valid_to=None) | Q(valid_to__gt=now or clock.now()))


def in_force(grants: QuerySet[RoleGrant], *, now: dt.datetime | None = None) -> QuerySet[RoleGrant]:
    """Filters grants that have begun and not ended at `now`."""
    now = now or clock.now()
    return current(grants, now=now).filter(valid_from__lte=now)


def valid_posts(*, today: dt.date | None = None) -> QuerySet[Post]:
    """Returns assignments that have not ended and whose last day has not passed."""
    return Post.objects.filter(Q(valid_to=None) | Q(valid_to__gte=today or clock.today()), ended_at=None)


def awake_by_person(person_ids: Sequence[UUID]) -> dict[UUID, list[RoleGrant]]:
    """Returns each person's current and coming roles that are not dormant, the oldest first, omitting people without one.

    One query.
    """
    found: dict[UUID, list[RoleGrant]] = {}
    grants = with_post(current(RoleGrant.objects.filter(person__in=person_ids)))
    for grant in grants.order_by("valid_from"):
        found.setdefault(grant.person_id, []).append(grant)
    return found


def with_post(grants: QuerySet[RoleGrant], *, today: dt.date | None = None) -> QuerySet[RoleGrant]:
    """Filters grants whose holder has a valid assignment in the role's area, or for a global role anywhere."""
    return with_area(grants).filter(_posted(today))


def without_post(grants: QuerySet[RoleGrant]) -> QuerySet[RoleGrant]:
    """Filters the grants that `with_post` excludes: the dormant ones."""
    return with_area(grants).filter(~_posted(None))


def with_area(grants: QuerySet[RoleGrant]) -> QuerySet[RoleGrant]:
    """Adds the alias `role_area`, the area in which each grant holds; null for a global role."""
    return grants.alias(role_area=Coalesce(F("area"), F("organisation__area")))


def _posted(today: dt.date | None) -> Q:
    posts = valid_posts(today=today).filter(person=OuterRef("person"))
    in_area = Exists(posts.filter(organisation__area=OuterRef("role_area")))
    return in_area | Q(Exists(posts), role__in=[role.value for role in GLOBAL_ROLES])


def newest_qualifications(person: str) -> ArraySubquery:
    """Returns an expression with each person's newest record of each kind, for `held_of`. `person` is the path to the id."""
    newest = (
        Qualification.objects.filter(person=OuterRef(person), withdrawn_at=None).order_by("kind", "-passed_on").distinct("kind")
    )
    return ArraySubquery(newest.values(record=JSONObject(kind="kind", passed_on="passed_on", due_on="due_on")))


def held_of(records: Sequence[dict[str, str | None]]) -> tuple[Held, ...]:
    """Converts the value of `newest_qualifications`."""
    return tuple(
        Held(
            QualificationKind(str(record["kind"])),
            dt.date.fromisoformat(str(record["passed_on"])),
            dt.date.fromisoformat(record["due_on"]) if record["due_on"] else None,
        )
        for record in records
    )


class HeldRole(Protocol):
    """A role of a person."""

    @property
    def role(self) -> str:
        """The code of the role in `Role`."""


def issues_until(grants: Iterable[HeldRole], held: Sequence[Held]) -> dt.date | None:
    """Returns the last day on which a person with these roles and records may issue.

    Returns None without an end, or if no role needs qualifications, and `qualifications.NEVER` if a record is missing.
    """
    return qualifications.last_day(held) if any(Role(row.role) in QUALIFIED_ROLES for row in grants) else None


def _grant(row: _GrantColumns, *, blocked: bool) -> Grant:
    path = row.area_path or row.organisation_path or "/"
    role = Role(row.role)
    overdue = blocked and role in QUALIFIED_ROLES
    place = row.area_name or row.organisation_name or ""
    return Grant(role, path, row.protected_persons, overdue=overdue, since=row.valid_from, place=place)


class _Held(NamedTuple):
    role: str
    path: str | None
    matches: bool
    held: list[dict[str, str | None]]


def issuing_in(where: Q) -> set[str]:
    """Returns the scope paths of organisations where some holder may issue now by a role that matches `where`.

    The rules are those of `actor_of_person`: the role is current, its holder has a valid assignment, and neither training nor
    person check is overdue. One query, however many roles there are.
    """
    today = clock.today()
    holders = in_force(RoleGrant.objects.filter(where)).values("person")
    rows = with_post(in_force(RoleGrant.objects.filter(person__in=holders, role__in=_QUALIFIED)), today=today)
    matches = Case(When(where, then=True), default=False, output_field=BooleanField())
    rows = rows.annotate(matches=matches, held=newest_qualifications("person"))
    people: dict[UUID, list[_Held]] = {}
    read = ("person_id", "role", "organisation__scope_path", "matches", "held")
    for person_id, *values in rows.values_list(*read):
        people.setdefault(person_id, []).append(_Held(*values))
    found: set[str] = set()
    for grants in people.values():
        unchecked_paths = {grant.path for grant in grants if grant.matches and grant.path} - found
        until = issues_until(grants, held_of(grants[0].held)) if unchecked_paths else None
        found |= unchecked_paths if until is None or until >= today else set()
    return found


def scope_path_of(grant: RoleGrant) -> str:
    """Returns the path below which a grant holds."""
    if grant.area is not None:
        return grant.area.scope_path
    return grant.organisation.scope_path if grant.organisation is not None else "/"
