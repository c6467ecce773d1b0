"""The page of the running month: who cannot be invoiced, and a customer's invoice as it would be if the month ended now.

Does not pull the feed.
"""

from dataclasses import dataclass
from uuid import UUID

from billing.customers.models import BillingCustomer, CustomerState
from billing.documents.queries.counted import Counted, of_now
from billing.invoices.models import Invoice
from billing.invoices.queries.invoices import issued_before
from billing.ledger.models import UnpricedFact
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, ItemState, RunItem
from billing.runs.services import drafting
from billing.runs.services.preview import Preview, preview
from billing.runs.services.readiness import NO_REFERENCE, invoice_obstacles
from issuance import service as issuance
from issuance.authz import Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.ordering import swedish_key


@dataclass(frozen=True)
class Running:
    """A customer's running month. `obstacles` will block the invoice, although no event of the month needs the data yet."""

    preview: Preview
    name: str
    obstacles: tuple[str, ...] = ()
    before: Invoice | None = None
    """The amounts of the invoice for the month before, if there is one and the month can be previewed."""


@dataclass(frozen=True)
class Stopped:
    """A party that cannot be invoiced, with the reasons as sentences. Only a customer has a running month to show."""

    party_id: UUID
    name: str
    reasons: tuple[str, ...]
    is_customer: bool


@dataclass(frozen=True)
class Overview:
    """The customers that the actor may choose, id and name, and the parties that are stopped; both sorted by name."""

    customers: tuple[tuple[UUID, str], ...]
    stopped: tuple[Stopped, ...]


def overview(actor: Actor) -> Overview:
    """Returns the customers in the actor's scope, and who of them cannot be invoiced by what is known without a preview:

    missing customer data, reference or approval, events without a price, and customers whom the newest run stopped.

    Raises Forbidden.
    """
    reach = issuance.parties_visible_to(actor)
    fields = ("party_id", "name", "state", "buyer_reference", "order_number")
    current = list(BillingCustomer.objects.filter(valid_until=None).only(*fields))
    seen = {row.party_id: row.name for row in current if reach.everyone or row.party_id in reach.party_ids}
    known = {row.party_id for row in current}
    reasons: dict[UUID, dict[str, None]] = {}  # a dict keeps the order and drops repetitions
    names = dict(seen)
    for party in issuance.billing_parties():
        if party.id not in known and (reach.everyone or party.id in reach.party_ids):
            names[party.id] = party.name
            reasons[party.id] = {"Kunduppgifter för fakturering saknas, och SITHS-förvaltningen registrerar dem.": None}
    for row in current:
        if row.party_id in seen and row.state == CustomerState.PENDING:
            reasons.setdefault(row.party_id, {})["Kundens attestant har inte godkänt beställningen av tjänsten."] = None
        if row.party_id in seen and row.state == CustomerState.ACTIVE and not row.has_reference:
            reasons.setdefault(row.party_id, {})[NO_REFERENCE] = None
    for party_id, reason in (*_without_price(), *_stopped_by_run()):
        if party_id in seen:
            reasons.setdefault(party_id, {})[reason] = None
    stopped = [Stopped(party_id, names[party_id], tuple(found), party_id in seen) for party_id, found in reasons.items()]
    return Overview(
        tuple(sorted(seen.items(), key=lambda party: (swedish_key(party[1]), str(party[0])))),
        tuple(sorted(stopped, key=lambda each: (swedish_key(each.name), str(each.party_id)))),
    )


def _without_price() -> list[tuple[UUID, str]]:
    waiting = UnpricedFact.objects.filter(period__lte=Month.of(clock.now()).first_day).order_by("party_id", "article_code")
    pairs = waiting.values_list("party_id", "article_code").distinct()
    return [(party_id, drafting.price_missing(code)[1]) for party_id, code in pairs]


def _stopped_by_run() -> list[tuple[UUID, str]]:
    newest = InvoiceRun.objects.order_by("-period").values("pk")[:1]
    items = RunItem.objects.filter(run__in=newest, state=ItemState.BLOCKED).order_by("party_id")
    return [(party_id, message) for party_id, found in items.values_list("party_id", "reasons") for _rule, message in found]


def running(choice: tuple[tuple[UUID, str], ...], party_id: UUID | None) -> Running | None:
    """Returns the running month of the chosen customer, or of the only one if none is chosen.

    `choice` has the customers of `overview`. Returns None if the customer is not among them.
    """
    if party_id is None and len(choice) == 1:
        party_id = choice[0][0]
    names = dict(choice)
    if party_id not in names:
        return None
    month = preview(party_id, pull=False)[0]
    obstacles = () if month.blocked else tuple(invoice_obstacles(party_id, issuance.offered_articles(party_id)))
    return Running(month, names[party_id], obstacles, issued_before(party_id, month.month) if month.content else None)


def counted_now(actor: Actor, party_id: UUID, organisation_id: UUID) -> Counted:
    """Returns the eIDs that count for a party's subscription of one organisation, if the month ends now.

    Raises Forbidden without the right to read invoices, and NotFound for a party outside the actor's scope or an organisation
    whose subscription the party does not pay.
    """
    reach = issuance.parties_visible_to(actor)
    customers = BillingCustomer.objects.filter(valid_until=None, party_id=party_id)
    visible = reach.everyone or party_id in reach.party_ids
    counted = of_now(party_id, organisation_id) if customers.exists() and visible else None
    if counted is None:
        raise policy.not_found()
    return counted
