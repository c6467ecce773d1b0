"""Which organisations' invoices and billing data an actor sees. `billing` knows no organisations: it selects rows by these."""

from dataclasses import dataclass
from uuid import UUID

from issuance.authz import Action, Actor, policy
from issuance.organisations.models import Organisation


@dataclass(frozen=True)
class VisibleParties:
    """The parties whose invoices an actor sees: all, past ones included, if `everyone`, else those in `party_ids`."""

    everyone: bool
    party_ids: frozenset[UUID]


def parties_visible_to(actor: Actor, action: Action = Action.VIEW_INVOICE) -> VisibleParties:
    """Returns the parties for which `actor` has `action`: those whose own organisation is in the scope of a role with that
    right. A role below or next to the party's organisation sees no invoice: the list is empty for it. Raises Forbidden if no role
    of the actor has the right.
    """
    paths = policy.reach(actor, action)
    if "/" in paths:
        return VisibleParties(True, frozenset())
    # Only top organisations are connected directly. A party that moved below another keeps its old invoices, which only roles
    # for the whole country see.
    top = Organisation.objects.visible_to(actor, action).filter(parent=None)
    return VisibleParties(False, frozenset(top.values_list("id", flat=True)))
