"""The page of the running month: a customer's invoice as it would be if the month ended now. Does not pull the feed."""

from dataclasses import dataclass
from uuid import UUID

from billing.models import BillingCustomer
from billing.services.preview import Preview, preview
from billing.services.readiness import invoice_obstacles
from issuance import service as issuance
from issuance.authz import Actor
from siths_portal.lib.ordering import swedish_key


@dataclass(frozen=True)
class Running:
    """A customer's running month. `obstacles` will block the invoice, although no event of the month needs the data yet."""

    preview: Preview
    name: str
    obstacles: tuple[str, ...] = ()


def customers(actor: Actor) -> tuple[tuple[UUID, str], ...]:
    """Returns id and name of the customers that `actor` may choose, sorted by name. Raises Forbidden."""
    reach = issuance.parties_visible_to(actor)
    current = BillingCustomer.objects.filter(valid_until=None)
    if not reach.everyone:
        current = current.filter(party_id__in=reach.party_ids)
    return tuple(sorted(current.values_list("party_id", "name"), key=lambda party: (swedish_key(party[1]), str(party[0]))))


def running(choice: tuple[tuple[UUID, str], ...], party_id: UUID | None) -> Running | None:
    """Returns the running month of the chosen customer, or of the only one if none is chosen.

    `choice` is the result of `customers`. Returns None if the customer is not among them.
    """
    if party_id is None and len(choice) == 1:
        party_id = choice[0][0]
    names = dict(choice)
    if party_id not in names:
        return None
    month = preview(party_id, pull=False)[0]
    obstacles = () if month.blocked else tuple(invoice_obstacles(party_id, issuance.offered_articles(party_id)))
    return Running(month, names[party_id], obstacles)


def without_terms(actor: Actor) -> tuple[str, ...]:
    """Returns the names of visible parties without customer data, sorted. Raises Forbidden."""
    reach = issuance.parties_visible_to(actor)
    known = set(BillingCustomer.objects.filter(valid_until=None).values_list("party_id", flat=True))
    seen = (party for party in issuance.billing_parties() if reach.everyone or party.id in reach.party_ids)
    return tuple(sorted((party.name for party in seen if party.id not in known), key=swedish_key))
