"""Which roles and which of their holders an actor who assigns roles may read of."""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from issuance.authz import Action, Actor, policy
from issuance.models import Person


def in_reach(actor: Actor) -> Q:
    """A condition on grants: those in places in which the actor may assign roles. Raises Forbidden if there are none."""
    condition = Q(pk__in=[])
    for path in policy.reach(actor, Action.ASSIGN_ROLE):
        if path == "/":
            return ~Q(pk__in=[])
        condition |= Q(organisation__scope_path__startswith=path) | Q(area__scope_path__startswith=path)
    return condition


def visible_holders(actor: Actor) -> Q:
    """A condition on rows with a `person`: those whom the actor may read by name (S13)."""
    seen = Person.objects.visible_to(actor).filter(pk=OuterRef("person"), is_protected=True)
    return Q(person__is_protected=False) | Q(Exists(seen))


def may_get_roles(*, actor: Actor, person_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the persons to whom the actor may give roles somewhere, himself among them if he is."""
    return set(Person.objects.visible_to(actor, Action.ASSIGN_ROLE).filter(pk__in=list(person_ids)).values_list("pk", flat=True))
