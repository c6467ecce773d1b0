"""Roles that become dormant or active when an organisation moves to another area. A role needs an assignment in its area."""

from uuid import UUID

from django.db.models import Case, Exists, F, OuterRef, Q, When

from issuance.organisations.models import Organisation
from issuance.roles.models.grants import RoleGrant
from issuance.roles.queries import role_reach
from issuance.roles.services.actors import current, valid_posts, with_area


def changed(moved: Organisation, area_id: UUID) -> tuple[list[RoleGrant], list[RoleGrant]]:
    """Returns the current and coming roles that become dormant when `moved` goes to this area, and those that become active.

    Roles and assignments inside `moved` go to the new area; the roles that stay in the old area lose those assignments. The rule
    is that of `actors.with_post`. Global roles are in neither list, because they need only an assignment anywhere. One query.
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
