"""A month's run: opened when the month is over, drafted by any number of workers, then reviewed."""

from uuid import UUID

from django.conf import settings
from django.db.models import Q

from billing import ports
from billing.customers.models import BillingCustomer, CustomerState
from billing.documents import validation
from billing.invoices.models import Invoice, InvoiceState
from billing.ledger.models import SubscriptionSnapshot, UnpricedFact, billable
from billing.ledger.services import ledger
from billing.records.domain import codes
from billing.records.domain.periods import Month
from billing.records.models import Event
from billing.runs.models import InvoiceRun, ItemState, RunItem, RunState
from siths_portal.lib import clock
from siths_portal.lib import ports as connected
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Invalid

RULE_VERSION = "persons-at-month-end/1"


def require_over(month: Month) -> None:
    """Raises Invalid if the month has not ended in Stockholm, since more of its events can occur."""
    if not month.is_over(clock.now()):
        name = str(month)
        name = name[0].upper() + name[1:]
        raise Invalid("month-not-over", f"{name} är inte slut. En månad kan faktureras först när den är slut.")


def open_run(month: Month, *, actor_ref: str) -> InvoiceRun:
    """Returns the month's run and opens it if needed: counts subscriptions at T, sets the cutoff, adds an item for each customer.

    Joins the caller's transaction. Opening again keeps the count, adds items for new customers and makes blocked ones pending.
    Raises Invalid if the month is not over.
    """
    require_over(month)
    now = clock.now()
    InvoiceRun.objects.bulk_create(
        [InvoiceRun(period=month.first_day, opened_at=now, program_version=settings.PROGRAM_VERSION)], ignore_conflicts=True
    )
    run = InvoiceRun.objects.select_for_update(no_key=True).get(period=month.first_day)  # drafts may refer to it at the same time
    with ledger.writing():
        if run.snapshot_at is None:
            _take_snapshot(month)
            run.snapshot_at = now
            Event.record(
                actor_ref=actor_ref,
                action="run.opened",
                subject_type="run",
                subject_ref=str(run.pk),
                facts={"month": month.code(), "program_version": run.program_version},
            )
        cutoff = ledger.newest_entry()
    _unsettle(run, cutoff)
    parties = _parties(month, cutoff)
    RunItem.objects.bulk_create(
        [RunItem(run=run, party_id=party_id, cutoff=cutoff) for party_id in sorted(parties)], ignore_conflicts=True
    )
    if run.items.filter(state=ItemState.PENDING).exists():
        run.state = RunState.OPEN
    run.save(update_fields=["state", "snapshot_at"])
    return run


def _take_snapshot(month: Month) -> None:
    now = clock.now()
    counts = connected.get(ports.IssuanceFacts).subscription_counts(month.end)
    rows = []
    for count in counts:
        row = SubscriptionSnapshot(
            period=month.first_day,
            party_id=count.party_id,
            organisation_id=count.organisation_id,
            organisation_name=count.organisation_name,
            direct=count.direct,
            persons=count.persons,
            rule_version=RULE_VERSION,
            taken_at=now,
        )
        row.sha256 = snapshot_hash(row)
        rows.append(row)
    SubscriptionSnapshot.objects.bulk_create(rows)
    ledger.record(
        [
            ledger.subscription_fact(count, month=month, article_code=codes.SUBSCRIPTION, taken_at=now)
            for count in counts
            if count.persons
        ]
    )


def snapshot_hash(row: SubscriptionSnapshot) -> str:
    """Returns the SHA-256 of the snapshot's columns as canonical JSON."""
    names = ("period", "party_id", "organisation_id", "organisation_name", "direct", "persons", "rule_version")
    return sha256_hex(canonical_json({name: getattr(row, name) for name in names}))


def _parties(month: Month, cutoff: int) -> set[UUID]:
    """Returns active customers and all parties with something to invoice. A party without customer data gets a blocked item."""
    now = clock.now()
    in_force = BillingCustomer.objects.filter(Q(valid_until=None) | Q(valid_until__gt=now), valid_from__lte=now)
    unbilled = billable().filter(period__lte=month.first_day, id__lte=cutoff, line_event=None)
    waiting = UnpricedFact.objects.filter(period__lte=month.first_day)
    return {
        *in_force.filter(state=CustomerState.ACTIVE).values_list("party_id", flat=True),
        *unbilled.values_list("party_id", flat=True).distinct(),
        *waiting.values_list("party_id", flat=True).distinct(),
    }


def _unsettle(run: InvoiceRun, cutoff: int) -> None:
    """Makes blocked items pending again, and deletes outdated drafts and makes their items pending.

    A draft is outdated if its customer has a newer version or if another version of the rules validated it.
    """
    settled = RunItem.objects.select_for_update().filter(run=run, state__in=[ItemState.BLOCKED, ItemState.DRAFTED])
    items = list(settled.order_by("party_id"))
    drafts = Invoice.objects.filter(run=run, state=InvoiceState.DRAFT)
    is_outdated = Q(customer__valid_until__lte=clock.now()) | ~Q(gate_version=validation.VERSION)
    outdated = set(drafts.filter(is_outdated).values_list("party_id", flat=True))
    again = [item.pk for item in items if item.state == ItemState.BLOCKED or item.party_id in outdated]
    drafts.filter(party_id__in=outdated).delete()
    RunItem.objects.filter(pk__in=again).update(state=ItemState.PENDING, cutoff=cutoff)


def settle_review(run: InvoiceRun, *, actor_ref: str) -> None:
    """Sets the run's state from its items, in the caller's transaction.

    A pending item means open; a draft, or no issued item, means review; else the run is issued.
    """
    run = InvoiceRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    states = set(run.items.values_list("state", flat=True).distinct())
    if ItemState.PENDING in states:
        state = RunState.OPEN
    elif ItemState.DRAFTED in states or ItemState.ISSUED not in states:
        state = RunState.REVIEW
    else:
        state = RunState.ISSUED
    if state != run.state:
        run.state = state
        run.save(update_fields=["state"])
        Event.record(actor_ref=actor_ref, action=f"run.{state.value}", subject_type="run", subject_ref=str(run.pk))
