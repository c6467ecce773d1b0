"""Actors from the rows that hold now: looked up for each request, never remembered (S06)."""

from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from issuance.authz import Action, Actor, Grant, Role, user
from issuance.authz.roles import ALLOWED
from issuance.models import ExtendedReach, Post, RoleGrant
from siths_portal.lib import clock


def actor_of_person(person_id: UUID) -> Actor:
    """The person with the grants that are valid at this moment; none gives an actor that sees nothing.

    A role rests while its holder has no valid post in the catalogue (domain.md 1.3).
    """
    now = clock.now()
    has_post = Post.objects.filter(Q(valid_to=None) | Q(valid_to__gte=clock.today()), person=OuterRef("person"), ended_at=None)
    rows = (
        RoleGrant.objects.filter(Exists(has_post), person_id=person_id, valid_from__lte=now)
        .filter(Q(valid_to=None) | Q(valid_to__gt=now))
        .select_related("area", "organisation")
        .order_by("id")
    )
    grants = tuple(Grant(Role(row.role), scope_path_of(row), row.protected_persons) for row in rows)
    return user(person_id, grants, _extended_persons(person_id, grants))


def _extended_persons(person_id: UUID, grants: tuple[Grant, ...]) -> frozenset[UUID]:
    if not any(Action.EXTENDED_SEARCH in ALLOWED[grant.role] for grant in grants):
        return frozenset()
    reached = ExtendedReach.objects.filter(owner_ref=f"user:{person_id}", until__gt=clock.now())
    return frozenset(reached.values_list("person_id", flat=True))


def scope_path_of(grant: RoleGrant) -> str:
    """The path below which a grant reaches."""
    if grant.area is not None:
        return grant.area.scope_path
    return grant.organisation.scope_path if grant.organisation is not None else "/"
