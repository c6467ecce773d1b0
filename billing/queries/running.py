"""The running month as a page: what a customer's invoice would say if the month ended now. Reads alone, unlike the pull."""

from dataclasses import dataclass
from uuid import UUID

from billing.domain.text import swedish_key
from billing.models import BillingCustomer
from billing.services.preview import Preview, preview
from issuance import service as issuance
from issuance.authz import Actor


@dataclass(frozen=True)
class Running:
    """The customers that an actor may choose among, and the running month of the one that is chosen, if any is."""

    customers: tuple[tuple[UUID, str], ...]
    shown: Preview | None
    name: str


def running(actor: Actor, party_id: UUID | None) -> Running:
    """The running month of `party_id`, or of the actor's only customer. Raises Forbidden as `invoices.visible` does.

    A customer that the actor may not see is not chosen, just as one that does not exist.
    """
    reach = issuance.parties_visible_to(actor)
    current = BillingCustomer.objects.filter(valid_until=None)
    if not reach.everyone:
        current = current.filter(party_id__in=reach.party_ids)
    names = dict(current.values_list("party_id", "name"))
    customers = tuple(sorted(names.items(), key=lambda party: (swedish_key(party[1]), str(party[0]))))
    if party_id is None and len(customers) == 1:
        party_id = customers[0][0]
    if party_id not in names:
        return Running(customers, None, "")
    return Running(customers, preview(party_id, pull=False)[0], names[party_id])
