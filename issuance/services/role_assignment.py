"""Roles of persons (Behörighetsroller, domain.md 1.1-1.3): given and ended by those above, in their scope, never to oneself."""

from uuid import UUID

from django.db import IntegrityError, transaction

from authn import service as authn
from issuance.authz import Action, Actor, Role, policy
from issuance.authz.roles import AREA_ROLES, GLOBAL_ROLES
from issuance.models import Event, IssuingArea, Organisation, Person, Post, RoleGrant
from issuance.services import _transactions
from issuance.services.actors import actor_of_person, scope_path_of
from issuance.services.subjects import subject_ref
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict, Invalid


@transaction.atomic(durable=True)
def assign_role(
    *,
    actor: Actor,
    person_id: UUID,
    role: Role,
    area_id: UUID | None = None,
    organisation_id: UUID | None = None,
    protected_persons: bool = False,
) -> RoleGrant:
    """Gives a person a role from now on: a global role without a reach, an issuer's in an area, any other in an organisation.

    Raises NotFound, Forbidden (not below the actor's own role, outside his scope, or himself), Invalid (reach), Conflict
    if the person has it already or has no post.
    """
    if (area_id is not None) != (role in AREA_ROLES) or (organisation_id is None) != (role in GLOBAL_ROLES | AREA_ROLES):
        message = "Rollen gäller ett annat slags omfång."
        raise Invalid("role-reach", message, fields={"role": [message]})
    person = policy.get(actor, Action.ASSIGN_ROLE, Person.objects.all(), person_id)
    grant = RoleGrant(
        person=person,
        role=role.value,
        area=policy.get(actor, Action.ASSIGN_ROLE, IssuingArea.objects.all(), area_id) if area_id else None,
        organisation=policy.get(actor, Action.ASSIGN_ROLE, Organisation.objects.all(), organisation_id)
        if organisation_id
        else None,
        protected_persons=protected_persons,
        valid_from=clock.now(),
    )
    policy.require_assignable(actor, role, scope_path_of(grant), protected_persons=protected_persons)
    if not Post.objects.filter(person=person, ended_at=None).exists():
        raise Conflict("role-without-post", "Personen har inget giltigt uppdrag i katalogen och kan inte få en roll.")
    try:
        with transaction.atomic():
            grant.save(force_insert=True)
    except IntegrityError:
        raise Conflict("role-exists", "Personen har redan rollen i det omfånget.") from None
    _record(actor, "role.assigned", grant)
    return grant


@transaction.atomic(durable=True)
def end_role(*, actor: Actor, grant_id: UUID) -> RoleGrant:
    """Ends a role at once, and with it the person's sessions and the activations it allowed (S06); an ended one stays as it is.

    Raises NotFound, Forbidden as `assign_role` does.
    """
    rows = RoleGrant.objects.select_for_update(of=("self",), no_key=True).select_related("area", "organisation")
    grant = rows.filter(pk=grant_id).first()
    if grant is None:
        raise policy.not_found()
    policy.get(actor, Action.ASSIGN_ROLE, Person.objects.all(), grant.person_id)
    policy.require_assignable(actor, Role(grant.role), scope_path_of(grant), protected_persons=grant.protected_persons)
    if grant.valid_to is None:
        grant.valid_to = clock.now()
        grant.save(update_fields=["valid_to"])
        authn.end_sessions(subject_ref(grant.person_id), reason=authn.ROLE_ENDED, actor_ref=actor.ref)
        _transactions.end_of_officer(actor_of_person(grant.person_id), actor_ref=actor.ref)
        _record(actor, "role.ended", grant)
    return grant


def _record(actor: Actor, action: str, grant: RoleGrant) -> None:
    Event.record(
        actor_ref=actor.ref,
        action=action,
        subject_type="person",
        subject_ref=str(grant.person_id),
        facts={
            "grant": str(grant.id),
            "role": grant.role,
            "scope_path": scope_path_of(grant),
            "protected_persons": grant.protected_persons,
        },
    )
