"""Which roles and which of their holders an actor who assigns roles may read of."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import outranks
from issuance.organisations.models import IssuingArea, Organisation
from issuance.people.models.persons import Person, Post
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import with_post


def in_reach(actor: Actor) -> Q:
    """A condition on grants: those in places in which the actor may assign roles. Raises Forbidden if there are none."""
    condition = Q(pk__in=[])
    for path in policy.reach(actor, Action.ASSIGN_ROLE):
        if path == "/":
            return _below(path)
        condition |= _below(path)
    return condition


def areas(actor: Actor) -> list[tuple[UUID, str]]:
    """The issuing areas in which the actor may assign roles somewhere, by name. Raises Forbidden if there are none."""
    paths = policy.reach(actor, Action.ASSIGN_ROLE)
    within = Q(pk__in=Organisation.objects.filter(scope_path__in=paths).values("area"))
    for path in paths:
        within |= Q(scope_path__startswith=path)
    return list(IssuingArea.objects.filter(within).order_by("name", "pk").values_list("pk", "name"))


def of_areas(*area_ids: UUID) -> Q:
    """A condition on grants: those over these areas, and over organisations in them."""
    return Q(area__in=area_ids) | Q(organisation__area__in=area_ids)


def not_below(actor: Actor) -> Q:
    """A condition on grants: those in reach that are not below a role of the actor's, and those of his areas that issue and are
    not below by rank. For their holders he vouches not.

    What `policy.is_above` says of one person's roles, as the database asks it. Raises Forbidden as `in_reach` does.
    """
    below = Q(pk__in=[])
    areas = set()
    for grant in actor.grants:
        if grant.allows(Action.ASSIGN_ROLE):
            areas.add(policy.area_path(grant.scope_path))
            below |= _below(grant.scope_path) & Q(role__in=[role.value for role in Role if outranks(grant.role, role)])
    beyond = in_reach(actor) & ~below
    for area in areas:
        beyond |= _below(area) & Q(role__in=sorted(policy.unranked(actor, area)))
    return beyond


def _below(path: str) -> Q:
    """A condition on grants: those whose place lies below a scope path; below the topmost all, the global ones too."""
    if path == "/":
        return ~Q(pk__in=[])
    return Q(organisation__scope_path__startswith=path) | Q(area__scope_path__startswith=path)


def visible_holders(actor: Actor) -> Q:
    """A condition on rows with a `person`: those whom the actor may read by name (S13)."""
    seen = Person.objects.visible_to(actor).filter(pk=OuterRef("person"), is_protected=True)
    return Q(person__is_protected=False) | Q(Exists(seen))


def takeable_holders(actor: Actor) -> Q:
    """A condition on grants: those of holders whom the actor may read by name, or whose resting role he may end (ADR 0036)."""
    return visible_holders(actor) | of_protected_leavers(actor)


def of_protected_leavers(actor: Actor) -> Q:
    """A condition on grants: those that rest of protected persons, where a role of the actor's has the add-on."""
    paths = policy.reach_of_protected(actor, Action.ASSIGN_ROLE)
    if not paths:
        return Q(pk__in=[])
    within = Q(pk__in=[])
    for path in paths:
        within |= _below(path)
    awake = Exists(with_post(RoleGrant.objects.filter(pk=OuterRef("pk"))))
    return within & Q(person__is_protected=True) & ~Q(awake)


def may_get_roles(*, actor: Actor, person_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the persons to whom the actor may give roles somewhere, himself among them if he is."""
    return set(Person.objects.visible_to(actor, Action.ASSIGN_ROLE).filter(pk__in=list(person_ids)).values_list("pk", flat=True))


def organisations_of(*, actor: Actor, person_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """By person the names of the organisations of the posts that the actor sees, each once and sorted."""
    posts = Post.objects.visible_to(actor).filter(person__in=list(person_ids), ended_at=None)
    found: dict[UUID, list[str]] = {}
    for person_id, name in posts.order_by("organisation__name").values_list("person_id", "organisation__name").distinct():
        found.setdefault(person_id, []).append(name)
    return found
