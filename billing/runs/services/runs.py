"""A month's run: opened when the month is over, drafted by any number of workers, then reviewed."""

from collections.abc import Sequence
from uuid import UUID

from django.conf import settings
from django.db.models import CharField, F, Func, Q, QuerySet

from billing import ports
from billing.customers.models import BillingCustomer, CustomerState
from billing.documents import validation
from billing.invoices.models import Invoice, unbilled
from billing.ledger.models import SubscriptionEvidence, SubscriptionSnapshot, UnpricedFact, billable
from billing.ledger.services import ledger
from billing.records.domain import codes
from billing.records.domain.periods import Month
from billing.records.models import Event
from billing.runs.models import InvoiceRun, ItemState, RunItem, RunState
from billing.runs.services import approvals
from siths_portal.lib import clock
from siths_portal.lib import ports as connected
from siths_portal.lib.canonical import canonical_json, sha256_hex
from siths_portal.lib.errors import Conflict, Invalid

RULE_VERSION = "persons-at-month-end/1"
_EVIDENCE_BATCH = 50
"""Organisations in one statement: the largest has tens of thousands of eIDs."""


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
    run = approvals.locked(_row(month).pk)  # drafts may refer to it at the same time
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
    _add_items(run, cutoff)
    if run.items.filter(state=ItemState.PENDING).exists():
        run.state = RunState.OPEN
    run.save(update_fields=["state", "snapshot_at"])
    return run


def request_run(month: Month) -> InvoiceRun:
    """Returns the month's run. Inserts the row if it is missing, and `schedule.draft` then drafts the month.

    Raises Invalid if the month is not over.
    """
    require_over(month)
    return _row(month)


def _row(month: Month) -> InvoiceRun:
    row = InvoiceRun(period=month.first_day, opened_at=clock.now(), program_version=settings.PROGRAM_VERSION)
    InvoiceRun.objects.bulk_create([row], ignore_conflicts=True)
    return InvoiceRun.objects.get(period=month.first_day)


def _add_items(run: InvoiceRun, cutoff: int) -> None:
    parties = sorted(_parties(Month.of_day(run.period), cutoff))
    RunItem.objects.bulk_create([RunItem(run=run, party_id=each, cutoff=cutoff) for each in parties], ignore_conflicts=True)


def _take_snapshot(month: Month) -> None:
    now = clock.now()
    counts = connected.get(ports.IssuanceFacts).subscription_counts(month.end, with_eids=True)
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
            evidence_sha256=evidence_hash(count.eids) if count.eids else "",
        )
        row.sha256 = snapshot_hash(row)
        rows.append(row)
    SubscriptionSnapshot.objects.bulk_create(rows)
    kept = [SubscriptionEvidence(snapshot=row, eids=list(each.eids)) for row, each in zip(rows, counts, strict=True) if each.eids]
    SubscriptionEvidence.objects.bulk_create(kept, batch_size=_EVIDENCE_BATCH)
    ledger.record(
        [
            ledger.subscription_fact(count, month=month, article_code=codes.SUBSCRIPTION, taken_at=now)
            for count in counts
            if count.persons
        ]
    )


def snapshot_hash(row: SubscriptionSnapshot) -> str:
    """Returns the SHA-256 of the snapshot's columns as canonical JSON; of the evidence's hash only if evidence was kept."""
    names = ["period", "party_id", "organisation_id", "organisation_name", "direct", "persons", "rule_version"]
    if row.evidence_sha256:
        names.append("evidence_sha256")
    return sha256_hex(canonical_json({name: getattr(row, name) for name in names}))


def evidence_hash(eids: Sequence[UUID]) -> str:
    """Returns the SHA-256 of the ids in lower case, with commas between them, as `STORED_EVIDENCE_HASH` does in SQL."""
    return sha256_hex(",".join(map(str, eids)).encode())


STORED_EVIDENCE_HASH = Func(
    F("evidence__eids"),
    template="encode(sha256(convert_to(array_to_string(%(expressions)s, ','), 'UTF8')), 'hex')",
    output_field=CharField(),
)
"""The hash of stored evidence: computed in the database, since a month's evidence has half a million ids."""


def _parties(month: Month, cutoff: int) -> set[UUID]:
    """Returns active customers and all parties with something to invoice. A party without customer data gets a blocked item."""
    now = clock.now()
    in_force = BillingCustomer.objects.filter(Q(valid_until=None) | Q(valid_until__gt=now), valid_from__lte=now)
    waiting_entries = unbilled(billable().filter(period__lte=month.first_day, id__lte=cutoff))
    waiting = UnpricedFact.objects.filter(period__lte=month.first_day)
    return {
        *in_force.filter(state=CustomerState.ACTIVE).values_list("party_id", flat=True),
        *waiting_entries.values_list("party_id", flat=True).distinct(),
        *waiting.values_list("party_id", flat=True).distinct(),
    }


def _unsettle(run: InvoiceRun, cutoff: int) -> None:
    """Makes blocked items pending again, and deletes outdated drafts and makes their items pending."""
    outdated = set(outdated_drafts(run).values_list("party_id", flat=True))
    items = _settled(run)
    _make_pending(run, [item for item in items if item.state == ItemState.BLOCKED or item.party_id in outdated], cutoff)


def outdated_drafts(run: InvoiceRun) -> QuerySet[Invoice]:
    """Returns the drafts whose customer has a newer version, or that another version of the rules validated."""
    is_outdated = Q(customer__valid_until__lte=clock.now()) | ~Q(gate_version=validation.VERSION)
    return approvals.drafts_of(run).filter(is_outdated)


def _settled(run: InvoiceRun) -> list[RunItem]:
    """Locks and returns the items that can be drafted again."""
    states = [ItemState.BLOCKED, ItemState.DRAFTED, ItemState.EMPTY]
    return list(RunItem.objects.select_for_update().filter(run=run, state__in=states).order_by("party_id"))


def _make_pending(run: InvoiceRun, items: Sequence[RunItem], cutoff: int) -> None:
    parties = [item.party_id for item in items]
    approvals.drafts_of(run).filter(party_id__in=parties).delete()
    RunItem.objects.filter(pk__in=[item.pk for item in items]).update(state=ItemState.PENDING, cutoff=cutoff)


def redraft(run_id: UUID, *, actor_ref: str, party_id: UUID | None = None) -> int:
    """Deletes the draft of one customer, or of all, to be made again with what is known now. Returns how many are pending.

    Issued invoices stay. A release and an approval no longer count. Joins the caller's transaction. Raises NotFound, and
    Conflict if the run is not open yet.
    """
    run = approvals.locked(run_id)
    if run.snapshot_at is None:
        raise Conflict("run-not-open", "Månaden öppnas just nu. Vänta tills utkasten är klara.")
    with ledger.writing():
        cutoff = ledger.newest_entry()
    _make_pending(run, [item for item in _settled(run) if party_id in (None, item.party_id)], cutoff)
    if party_id is None:
        _add_items(run, cutoff)
    pending = run.items.filter(state=ItemState.PENDING).count()
    if pending:
        run.state = RunState.OPEN
        run.save(update_fields=["state"])
        facts = {"party_id": str(party_id) if party_id else None, "pending": pending}
        Event.record(actor_ref=actor_ref, action="run.redrafted", subject_type="run", subject_ref=str(run.pk), facts=facts)
    return pending


def settle_review(run: InvoiceRun, *, actor_ref: str) -> None:
    """Sets the run's state from its items and its approval, in the caller's transaction.

    A pending item means open. A draft means review, or released or approved if exactly these drafts are. No draft means issued,
    or review if nothing is issued.
    """
    run = InvoiceRun.objects.select_for_update(no_key=True).get(pk=run.pk)
    state = _state(run)
    if state != run.state:
        run.state = state
        run.save(update_fields=["state"])
        Event.record(actor_ref=actor_ref, action=f"run.{state.value}", subject_type="run", subject_ref=str(run.pk))


def _state(run: InvoiceRun) -> RunState:
    states = set(run.items.values_list("state", flat=True).distinct())
    if run.snapshot_at is None or ItemState.PENDING in states:
        return RunState.OPEN
    if ItemState.DRAFTED in states:
        approval = approvals.standing(run, approvals.reviewed(run))
        if approval is None:
            return RunState.REVIEW
        return RunState.APPROVED if approval.approved_at else RunState.RELEASED
    return RunState.ISSUED if ItemState.ISSUED in states else RunState.REVIEW
