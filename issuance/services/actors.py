"""Actors from the rows that hold now: looked up for each request, never remembered (S06)."""

from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q

from issuance.authz import Actor, Grant, Role, user
from issuance.models import ExtendedReach, Post, RoleGrant
from siths_portal.lib import clock


def actor_of_person(person_id: UUID, *, hsa_id: str = "") -> Actor:
    """The person with the grants that are valid at this moment; none gives an actor that sees nothing. `hsa_id`: the log-in's.

    A role rests while its holder has no valid post in the catalogue (domain.md 1.3).
    """
    now = clock.now()
    has_post = Post.objects.filter(Q(valid_to=None) | Q(valid_to__gte=clock.today()), person=OuterRef("person"), ended_at=None)
    owner_ref = user(person_id, ()).ref
    opened = ExtendedReach.objects.filter(owner_ref=owner_ref, until__gt=now).values("person_id")
    rows = (
        RoleGrant.objects.filter(Exists(has_post), person_id=person_id, valid_from__lte=now)
        .filter(Q(valid_to=None) | Q(valid_to__gt=now))
        .select_related("area", "organisation")
        .annotate(extended_persons=ArraySubquery(opened))
        .order_by("id")
    )
    grants = tuple(Grant(Role(row.role), scope_path_of(row), row.protected_persons) for row in rows)
    reached = frozenset(rows[0].extended_persons) if grants else frozenset()
    return user(person_id, grants, reached, hsa_id=hsa_id)


def scope_path_of(grant: RoleGrant) -> str:
    """The path below which a grant reaches."""
    if grant.area is not None:
        return grant.area.scope_path
    return grant.organisation.scope_path if grant.organisation is not None else "/"
