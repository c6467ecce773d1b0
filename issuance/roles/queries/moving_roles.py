"""Roles that begin to rest, or to hold again, when an organisation comes to another area: a role holds by a post in its area."""

from uuid import UUID

from django.db.models import Case, Exists, F, OuterRef, Q, When

from issuance.organisations.models import Organisation
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_reach
from issuance.roles.services.actors import current, valid_posts, with_area


def changed(moved: Organisation, area_id: UUID) -> tuple[list[RoleGrant], list[RoleGrant]]:
    """The roles, in force or to come, that rest after the move of `moved` to this other area and do not now, and the reverse.

    Roles in what moves come to the new area, and so do the posts there; those left in the old area have lost these posts. By the
    rule of `actors.with_post`; global roles hold by a post anywhere and are in neither. One query.
    """
    inside = Q(organisation__scope_path__startswith=moved.scope_path)
    posts = valid_posts().filter(person=OuterRef("person"))
    here_then = Exists(posts.filter(Q(organisation__area=area_id) | inside))
    there_then = Exists(posts.filter(~inside, organisation__area=moved.area_id))
    rows = (
        with_area(current(RoleGrant.objects.filter(role_reach.of_areas(moved.area_id, area_id))))
        .annotate(
            holds=Exists(posts.filter(organisation__area=OuterRef("role_area"))),
            will_hold=Case(When(inside | Q(role_area=area_id), then=here_then), default=there_then),
        )
        .exclude(holds=F("will_hold"))
        .select_related("area", "organisation")
        .order_by("role", "pk")
    )
    found = list(rows)
    return [row for row in found if row.holds], [row for row in found if not row.holds]
