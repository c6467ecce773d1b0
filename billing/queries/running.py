"""The running month as a page: what a customer's invoice would say if the month ended now. Reads alone, unlike the pull."""

from dataclasses import dataclass
from uuid import UUID

from billing.domain.text import swedish_key
from billing.models import BillingCustomer
from billing.services.preview import Preview, preview
from billing.services.readiness import invoice_obstacles
from issuance import service as issuance
from issuance.authz import Actor


@dataclass(frozen=True)
class Running:
    """The running month of a customer, its name, and what will stop its invoice although nothing in the month needs it yet."""

    shown: Preview
    name: str
    obstacles: tuple[str, ...] = ()


def customers(actor: Actor) -> tuple[tuple[UUID, str], ...]:
    """The customers that an actor may choose among, by name. Raises Forbidden as `invoices.visible` does."""
    reach = issuance.parties_visible_to(actor)
    current = BillingCustomer.objects.filter(valid_until=None)
    if not reach.everyone:
        current = current.filter(party_id__in=reach.party_ids)
    return tuple(sorted(current.values_list("party_id", "name"), key=lambda party: (swedish_key(party[1]), str(party[0]))))


def running(choice: tuple[tuple[UUID, str], ...], party_id: UUID | None) -> Running | None:
    """The running month of the one of `customers` that is chosen, or of the only one; None if there is no such."""
    if party_id is None and len(choice) == 1:
        party_id = choice[0][0]
    names = dict(choice)
    if party_id not in names:
        return None
    shown = preview(party_id, pull=False)[0]
    obstacles = () if shown.blocked else tuple(invoice_obstacles(party_id, issuance.offered_articles(party_id)))
    return Running(shown, names[party_id], obstacles)


def without_terms(actor: Actor) -> tuple[str, ...]:
    """Returns the names of the parties that the actor may see and that have no customer data, in order. Raises Forbidden."""
    reach = issuance.parties_visible_to(actor)
    known = set(BillingCustomer.objects.filter(valid_until=None).values_list("party_id", flat=True))
    seen = (party for party in issuance.billing_parties() if reach.everyone or party.id in reach.party_ids)
    return tuple(sorted((party.name for party in seen if party.id not in known), key=swedish_key))
