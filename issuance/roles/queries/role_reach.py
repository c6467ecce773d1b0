"""Conditions for the roles, and their holders, that an actor who assigns roles may read."""

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
    """Returns the condition on grants in places where the actor may assign roles. Raises Forbidden without such a place."""
    condition = Q(pk__in=[])
    for path in policy.reach(actor, Action.ASSIGN_ROLE):
        if path == "/":
            return _below(path)
        condition |= _below(path)
    return condition


def areas(actor: Actor) -> list[tuple[UUID, str]]:
    """Returns the issuing areas in which the actor may assign roles somewhere, by name. Raises Forbidden without such a place."""
    paths = policy.reach(actor, Action.ASSIGN_ROLE)
    within = Q(pk__in=Organisation.objects.filter(scope_path__in=paths).values("area"))
    for path in paths:
        within |= Q(scope_path__startswith=path)
    return list(IssuingArea.objects.filter(within).order_by("name", "pk").values_list("pk", "name"))


def of_areas(*area_ids: UUID) -> Q:
    """Returns the condition on grants over these areas and the organisations in them."""
    return Q(area__in=area_ids) | Q(organisation__area__in=area_ids)


def not_below(actor: Actor) -> Q:
    """Returns the condition on grants that prevent the actor from recording their holder's training.

    These are grants in the actor's scope that the actor does not outrank, and issuing grants in the actor's areas that no role of
    the actor outranks. It is the rule of `policy.is_above` in SQL. Raises Forbidden like `in_reach`.
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
    """Returns the condition on grants whose place is below a scope path. `/` includes the global grants."""
    if path == "/":
        return ~Q(pk__in=[])
    return Q(organisation__scope_path__startswith=path) | Q(area__scope_path__startswith=path)


def visible_holders(actor: Actor) -> Q:
    """Returns the condition on rows with a `person` whom the actor may see by name (S13)."""
    seen = Person.objects.visible_to(actor).filter(pk=OuterRef("person"), is_protected=True)
    return Q(person__is_protected=False) | Q(Exists(seen))


def endable_holders(actor: Actor) -> Q:
    """Returns the condition on grants with a holder whom the actor may see by name, or that the actor may end (ADR 0036)."""
    return visible_holders(actor) | of_protected_leavers(actor)


def of_protected_leavers(actor: Actor) -> Q:
    """Returns the condition on dormant grants of protected persons below a role of the actor's with the add-on."""
    paths = policy.reach_of_protected(actor, Action.ASSIGN_ROLE)
    if not paths:
        return Q(pk__in=[])
    within = Q(pk__in=[])
    for path in paths:
        within |= _below(path)
    awake = Exists(with_post(RoleGrant.objects.filter(pk=OuterRef("pk"))))
    return within & Q(person__is_protected=True) & ~Q(awake)


def may_get_roles(*, actor: Actor, person_ids: Iterable[UUID]) -> set[UUID]:
    """Returns those of the persons to whom the actor may give roles somewhere. It does not exclude the actor."""
    return set(Person.objects.visible_to(actor, Action.ASSIGN_ROLE).filter(pk__in=list(person_ids)).values_list("pk", flat=True))


def organisations_of(*, actor: Actor, person_ids: Iterable[UUID]) -> dict[UUID, list[str]]:
    """Returns the sorted names of each person's organisations, from the assignments that the actor sees."""
    posts = Post.objects.visible_to(actor).filter(person__in=list(person_ids), ended_at=None)
    found: dict[UUID, list[str]] = {}
    for person_id, name in posts.order_by("organisation__name").values_list("person_id", "organisation__name").distinct():
        found.setdefault(person_id, []).append(name)
    return found
