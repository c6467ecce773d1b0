"""The other persons who may do what needs two."""

from issuance.authz import Action, Actor, policy
from issuance.authz.roles import ALLOWED, GLOBAL_ROLES
from issuance.roles.models.grants import RoleGrant
from issuance.roles.services.actors import in_force, with_post
from siths_portal.lib.ordering import swedish_key


def colleagues(actor: Actor, action: Action) -> list[str]:
    """Returns the names of the others who may do `action` everywhere now, sorted, protected persons left out.

    Raises Forbidden if the actor may not do it.
    """
    policy.require_global(actor, action)
    roles = [role.value for role in GLOBAL_ROLES if action in ALLOWED[role]]
    grants = RoleGrant.objects.filter(role__in=roles, person__deceased=False, person__is_protected=False)
    others = with_post(in_force(grants)).exclude(person=actor.own_id)
    named = others.values_list("person_id", "person__given_name_in_use", "person__surname").distinct()
    return sorted((f"{given_name} {surname}" for _pk, given_name, surname in named), key=swedish_key)
