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
    """The running month of a customer, and its name."""

    shown: Preview
    name: str


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
    return Running(preview(party_id, pull=False)[0], names[party_id]) if party_id in names else None
