"""The run of a month as its pages show it: progress, sums against the month before, each customer, what there is to approve.

Contains no person's name. All functions raise Forbidden for an actor without the right to run months.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, F, Max, Q, QuerySet, Sum
from django.db.models.fields.json import KT

from billing.customers.models import BillingCustomer
from billing.delivery.models import ARRIVED, REFUSED
from billing.documents.domain.invoices import DocumentType, InvoiceContent
from billing.documents.queries.counted import Counted, of_month
from billing.invoices.models import FileFormat, Invoice, InvoiceLine, InvoiceState, unbilled
from billing.invoices.services import frozen, series
from billing.ledger.domain import line_kinds
from billing.ledger.models import billable
from billing.records.domain import money
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, ItemState, Reason, RunApproval, RunItem, RunState
from billing.runs.services import approvals, checks, schedule
from billing.runs.services.approvals import Reviewed
from billing.runs.services.checks import StoredDifference
from issuance import service as issuance
from issuance.authz import Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.errors import Forbidden
from siths_portal.lib.ordering import swedish_key

_MONTHS_SHOWN = 12
_OUTLIER_SHARE, _OUTLIER_NET = Decimal("0.25"), Decimal(1000)
_NOTHING = Decimal("0.00")
_BY_TWO = (RunState.REVIEW, RunState.RELEASED)


@dataclass(frozen=True)
class Progress:
    """How far a run is. A customer is settled when it is no longer pending."""

    state: RunState
    customers: int
    settled: int
    blocked: int
    issued: int
    rendered: int
    delivered: int
    """How many issued invoices have reached the buyer."""

    refused: int
    """How many issued invoices the access point or the receiver refuses."""

    opened_at: dt.datetime | None = None
    """When the subscriptions were counted; None until then."""

    drafted_at: dt.datetime | None = None
    """When the newest draft was made."""

    approved: int = 0
    """For how many invoices two people approved their numbers; an operator's command may have issued the others."""

    stop: series.Stop | None = None
    """Why the number series gives the approved invoices no numbers."""

    @property
    def by_command(self) -> bool:
        """Whether a command gave numbers of an issued month that no two people approved."""
        return self.state == RunState.ISSUED and self.issued > self.approved

    @property
    def works(self) -> bool:
        """Whether tasks work on the run, so that its page changes by itself."""
        return self.state in (RunState.OPEN, RunState.APPROVED) or self.rendered < self.issued

    @property
    def mark(self) -> str:
        """What the page shows as a whole; a poll that finds another mark loads the page again."""
        mark = f"{self.state.value}-{'arbetar' if self.works else 'klar'}"
        if self.stop is None:
            return mark
        return f"{mark}-begard" if self.stop.requested else f"{mark}-stoppad"


@dataclass(frozen=True)
class CustomerRow:
    """A customer of the run: the sum of the draft or invoice, else of what waits, and that of the month before."""

    party_id: UUID
    name: str
    state: ItemState
    net: Decimal
    before: Decimal
    reasons: tuple[Reason, ...] = ()
    number: str | None = None
    change_words: str = ""

    @property
    def change(self) -> Decimal:
        """The change since the month before."""
        return self.net - self.before

    @property
    def is_outlier(self) -> bool:
        """Whether the change is at least a quarter of the month before and a thousand kronor."""
        return abs(self.change) >= max(_OUTLIER_NET, self.before * _OUTLIER_SHARE)


@dataclass(frozen=True)
class RunView:
    """The page of a run. `differences` is None until they are computed for what there is to approve now."""

    run: InvoiceRun
    month: Month
    progress: Progress
    reviewed: Reviewed
    approval: RunApproval | None
    second_refusal: str
    rows: tuple[CustomerRow, ...]
    shares: tuple[tuple[str, Decimal], ...]
    months: tuple[tuple[Month, Decimal], ...]
    differences: Sequence[StoredDifference] | None
    colleagues: tuple[str, ...]
    """The names of those who may be the second person while one is needed, protected persons left out."""

    @property
    def net(self) -> Decimal:
        """The sum of the month, also of what waits for blocked customers."""
        return sum((row.net for row in self.rows), _NOTHING)

    @property
    def before(self) -> Decimal:
        """The sum of the month before, of all customers."""
        return sum((row.before for row in self.rows), _NOTHING)

    @property
    def blocked(self) -> list[CustomerRow]:
        """The blocked customers."""
        return [row for row in self.rows if row.state == ItemState.BLOCKED]

    @property
    def changes(self) -> list[CustomerRow]:
        """The customers with a change, the largest first."""
        return sorted((row for row in self.rows if row.change), key=lambda row: -abs(row.change))


@dataclass(frozen=True)
class RunRow:
    """A run in the list of months."""

    month: Month
    state: RunState
    customers: int
    blocked: int
    invoices: int
    net: Decimal


def runs_of(actor: Actor) -> list[RunRow]:
    """Returns the runs, the newest first."""
    policy.require_global(actor, approvals.ACTION)
    blocked = Count("items", filter=Q(items__state=ItemState.BLOCKED))
    found = list(InvoiceRun.objects.annotate(customers=Count("items"), blocked_items=blocked).order_by("-period"))
    of_runs = Invoice.objects.filter(document_type=DocumentType.INVOICE.value).order_by()
    sums = {key: (number, net) for key, number, net in of_runs.values_list("run").annotate(Count("pk"), Sum("net"))}
    rows = []
    for run in found:
        invoices, net = sums.get(run.pk, (0, _NOTHING))
        rows.append(RunRow(Month.of_day(run.period), RunState(run.state), run.customers, run.blocked_items, invoices, net))
    return rows


def openable(actor: Actor, known: Sequence[Month]) -> Month | None:
    """Returns the last month if it has no run yet."""
    policy.require_global(actor, approvals.ACTION)
    last = Month.of(clock.now()).previous()
    return None if last in known else last


def due_at(month: Month) -> dt.datetime | None:
    """Returns when the scheduled job opens the month, or None if that time has passed."""
    due = schedule.due_at(month)
    return due if due > clock.now() else None


def run_of(actor: Actor, month: Month) -> InvoiceRun:
    """Returns the month's run. Raises NotFound."""
    policy.require_global(actor, approvals.ACTION)
    run = InvoiceRun.objects.filter(period=month.first_day).first()
    if run is None:
        raise policy.not_found()
    return run


def progress(run: InvoiceRun) -> Progress:
    """Returns how far the run is."""
    states = dict(run.items.values_list("state").annotate(Count("pk")).order_by())
    rendered = Count("pk", filter=Q(files__file_format=FileFormat.PDF))
    delivered, refused = (
        Count("pk", filter=Q(files__file_format=FileFormat.PDF, delivery__state__in=wanted)) for wanted in (ARRIVED, REFUSED)
    )
    invoices = Invoice.objects.filter(run=run, document_type=DocumentType.INVOICE.value)
    counts = invoices.aggregate(rendered=rendered, delivered=delivered, refused=refused, drafted_at=Max("drafted_at"))
    customers = sum(states.values())
    approved = run.approvals.exclude(approved_at=None).aggregate(invoices=Sum("invoices", default=0))
    return Progress(
        state=RunState(run.state),
        customers=customers,
        settled=customers - states.get(ItemState.PENDING, 0),
        blocked=states.get(ItemState.BLOCKED, 0),
        issued=states.get(ItemState.ISSUED, 0),
        rendered=counts["rendered"],
        delivered=counts["delivered"],
        refused=counts["refused"],
        opened_at=run.snapshot_at,
        drafted_at=counts["drafted_at"],
        approved=approved["invoices"],
        stop=series.stop() if run.state == RunState.APPROVED else None,
    )


def run_view(actor: Actor, month: Month) -> RunView:
    """Returns everything that the page of the month shows. Raises NotFound."""
    run = run_of(actor, month)
    now = approvals.reviewed(run)
    approval = approvals.standing(run, now)
    rows, lines = _rows(run, month)
    return RunView(
        run=run,
        month=month,
        progress=progress(run),
        reviewed=now,
        approval=approval,
        second_refusal=_refusal(actor, approval),
        rows=tuple(rows),
        shares=_shares(lines, month),
        months=_months(month),
        differences=checks.stored(run, now.sha256),
        colleagues=tuple(issuance.colleagues(actor, approvals.ACTION)) if run.state in _BY_TWO else (),
    )


def _refusal(actor: Actor, approval: RunApproval | None) -> str:
    """Returns why this actor may not approve what another person released."""
    if approval is None or approval.approved_at or approval.released_by == actor.ref:
        return ""
    try:
        issuance.require_second(actor, approvals.ACTION, requested_by=approval.released_by, requested_at=approval.released_at)
    except Forbidden as refusal:
        return refusal.message
    return ""


def customers_of(actor: Actor, month: Month) -> list[CustomerRow]:
    """Returns each customer of the run, sorted by name. Raises NotFound."""
    return _rows(run_of(actor, month), month)[0]


@dataclass
class _Lines:
    """Pieces and sums of lines, by customer, month and kind."""

    pieces: dict[tuple[UUID, dt.date, str], Decimal] = field(default_factory=dict)
    net: dict[tuple[UUID, dt.date, str], Decimal] = field(default_factory=dict)


def _of_month(month: Month) -> QuerySet[Invoice]:
    return Invoice.objects.filter(period=month.first_day, state=InvoiceState.ISSUED, document_type=DocumentType.INVOICE.value)


def _rows(run: InvoiceRun, month: Month) -> tuple[list[CustomerRow], _Lines]:
    items = list(RunItem.objects.filter(run=run).only("party_id", "state", "reasons"))
    in_both = Q(run=run) | Q(pk__in=_of_month(month.previous()).values("pk"))
    found = Invoice.objects.filter(in_both, document_type=DocumentType.INVOICE.value)
    invoices = {
        (party_id, period): (name, net, number)
        for party_id, period, name, net, number in found.values_list("party_id", "period", KT("buyer__name"), "net", "number")
    }
    lines = _lines(found)
    waiting = _waiting([item.party_id for item in items if item.state == ItemState.BLOCKED], month)
    names = _names([item.party_id for item in items if (item.party_id, run.period) not in invoices])
    none = ("", _NOTHING, None)
    rows = []
    for item in items:
        name, net, number = invoices.get((item.party_id, run.period), none)
        before = invoices.get((item.party_id, month.previous().first_day), none)
        rows.append(
            CustomerRow(
                party_id=item.party_id,
                name=name or names.get(item.party_id) or before[0] or str(item.party_id),
                state=ItemState(item.state),
                net=net or waiting.get(item.party_id, _NOTHING),
                before=before[1],
                reasons=item.why,
                number=number,
                change_words="" if item.state == ItemState.BLOCKED else _change_words(lines, item.party_id, month),
            )
        )
    return sorted(rows, key=lambda row: (swedish_key(row.name), str(row.party_id))), lines


def _lines(invoices: QuerySet[Invoice]) -> _Lines:
    lines = _Lines()
    grouped = InvoiceLine.objects.filter(invoice__in=invoices.values("pk")).order_by()
    for party_id, period, kind, pieces, net in grouped.values_list("invoice__party_id", "invoice__period", "kind").annotate(
        Sum("quantity"), Sum("net")
    ):
        lines.pieces[party_id, period, kind], lines.net[party_id, period, kind] = pieces, net
    return lines


def _change_words(lines: _Lines, party_id: UUID, month: Month) -> str:
    """Returns the kind of line that changed the customer's sum most: "412 abonnemang, 168 i oktober"."""
    before = month.previous()

    def change(kind: str) -> Decimal:
        now = lines.net.get((party_id, month.first_day, kind), _NOTHING)
        return abs(now - lines.net.get((party_id, before.first_day, kind), _NOTHING))

    kind = max(line_kinds.declared(), key=lambda each: change(each.code))
    if not change(kind.code):
        return ""
    now, earlier = (lines.pieces.get((party_id, each.first_day, kind.code), Decimal(0)) for each in (month, before))
    pieces, name = money.swedish(now, decimals=0), kind.name.lower()
    return f"{pieces} {name}, {money.swedish(earlier, decimals=0)} i {str(before).split()[0]}"


def _waiting(party_ids: list[UUID], month: Month) -> dict[UUID, Decimal]:
    """Returns the sum of the entries that wait for an invoice, by blocked customer. Entries without a price are not in it."""
    if not party_ids:
        return {}
    entries = unbilled(billable().filter(party_id__in=party_ids, period__lte=month.first_day)).order_by()
    sums = entries.values_list("party_id").annotate(total=Sum(F("quantity") * F("unit_price")))
    return {party_id: money.to_ore(amount) for party_id, amount in sums}


def _names(party_ids: list[UUID]) -> dict[UUID, str]:
    if not party_ids:
        return {}
    versions = BillingCustomer.objects.filter(party_id__in=party_ids).order_by("valid_from")
    names = dict(versions.values_list("party_id", "name"))
    if set(party_ids) - names.keys():
        names = {party.id: party.name for party in issuance.billing_parties()} | names
    return names


def _shares(lines: _Lines, month: Month) -> tuple[tuple[str, Decimal], ...]:
    """Returns the month's sum of each kind of line, in the order of the kinds."""
    sums: dict[str, Decimal] = {}
    for (_party_id, period, kind), net in lines.net.items():
        if period == month.first_day:
            sums[kind] = sums.get(kind, _NOTHING) + net
    return tuple((kind.name, sums[kind.code]) for kind in line_kinds.declared() if sums.get(kind.code))


def _months(month: Month) -> tuple[tuple[Month, Decimal], ...]:
    """Returns the sums of the month, with its drafts, and of those before it, the newest first."""
    of_months = Invoice.objects.filter(period__lte=month.first_day, document_type=DocumentType.INVOICE.value).order_by("-period")
    sums = of_months.values_list("period").annotate(Sum("net"))[:_MONTHS_SHOWN]
    return tuple((Month.of_day(period), net) for period, net in sums)


@dataclass(frozen=True)
class DraftView:
    """The draft of one customer, with the sum of the month before. `content` is None if there is no draft."""

    run: InvoiceRun
    item: RunItem
    name: str
    content: InvoiceContent | None
    before: Decimal | None
    number: str | None


def draft_view(actor: Actor, month: Month, party_id: UUID) -> DraftView:
    """Returns one customer's draft. Raises NotFound."""
    run = run_of(actor, month)
    item = run.items.filter(party_id=party_id).first()
    if item is None:
        raise policy.not_found()
    invoice = Invoice.objects.filter(run=run, party_id=party_id, document_type=DocumentType.INVOICE.value).prefetch_related(
        "lines"
    )
    found = invoice.first()
    before = _of_month(month.previous()).filter(party_id=party_id).values_list("net", flat=True).first()
    name = found.buyer["name"] if found else _names([party_id]).get(party_id, str(party_id))
    return DraftView(run, item, name, frozen.content_of(found) if found else None, before, found.number if found else None)


def draft_counted(actor: Actor, month: Month, party_id: UUID, organisation_id: UUID) -> Counted:
    """Returns the eIDs behind the subscription of an organisation in one customer's draft.

    Raises NotFound, also for a draft without such a line and for a count that kept no eIDs.
    """
    content = draft_view(actor, month, party_id).content
    counts = content and any(
        line.declaration.counts_persons and line.period == month and line.organisation_id == organisation_id
        for line in content.lines
    )
    found = of_month(organisation_id, month) if counts else None
    if found is None:
        raise policy.not_found()
    return found
