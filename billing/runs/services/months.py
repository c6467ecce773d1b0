"""The run of a month from opening to files: the services of each step, in order."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Count

from billing.customers.models import BillingCustomer
from billing.invoices.models import Invoice
from billing.invoices.services import rendering
from billing.ledger.services import ledger
from billing.records.domain.periods import Month
from billing.runs.models import InvoiceRun, ItemState, RunItem
from billing.runs.services import approvals, drafting, issuing, runs
from siths_portal.lib.ordering import swedish_key


@dataclass(frozen=True)
class CustomerResult:
    """The result of a run for one customer. Amounts are SEK. Contains no person's name.

    `reasons` are Swedish sentences with the ids of rules.
    """

    party_id: UUID
    name: str
    state: str
    number: str | None
    lines: int
    payable: Decimal
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class RunResult:
    """The numbers of new drafts, newly issued invoices and new files, and the result of each customer, sorted by name."""

    month: Month
    drafted: int
    issued: int
    rendered: int
    customers: tuple[CustomerResult, ...]

    @property
    def blocked(self) -> int:
        """How many customers could not be invoiced."""
        return sum(customer.state == ItemState.BLOCKED for customer in self.customers)

    @property
    def drafted_only(self) -> int:
        """How many customers have a draft without a number."""
        return sum(customer.state == ItemState.DRAFTED for customer in self.customers)


def run_month(
    month: Month,
    *,
    actor_ref: str,
    issue: bool = False,
    dry_run: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> RunResult:
    """Opens and drafts the month. With `issue` also numbers, freezes and renders the invoices: after finance has released drafts
    of the month, only what two people approved. With `dry_run` saves nothing.

    A repeated call keeps issued invoices and files, tries blocked customers again and makes missing files. Raises Invalid if the
    month is not over, and Conflict or Unavailable if rendering fails; a repeated call then continues where it stopped.
    """
    runs.require_over(month)
    if dry_run:
        return _dry_run(month, actor_ref)
    ledger.collect()
    with transaction.atomic(durable=True):
        run = runs.open_run(month, actor_ref=actor_ref)
    drafted = drafting.draft_items(run, actor_ref=actor_ref)
    _review(run, actor_ref)
    issued = rendered = 0
    if issue:
        issued = issuing.issue(run, actor_ref=actor_ref)
        _review(run, actor_ref)
        rendered = rendering.render_missing(period=run.period, actor_ref=actor_ref, progress=progress)
    return RunResult(month, drafted, issued, rendered, _customers(run))


def _review(run: InvoiceRun, actor_ref: str) -> None:
    with transaction.atomic(durable=True):
        runs.settle_review(run, actor_ref=actor_ref)


def _dry_run(month: Month, actor_ref: str) -> RunResult:
    """Runs the same code in one transaction and rolls it back."""
    with transaction.atomic(durable=True):
        approvals.locked(runs.request_run(month).pk)  # the run before the ledger, as everywhere
        ledger.collect_all()
        run = runs.open_run(month, actor_ref=actor_ref)
        printed = drafting.article_words()
        drafted = 0
        while drafting.draft_next(run, actor_ref=actor_ref, articles=printed):
            drafted += 1
        result = RunResult(month, drafted, 0, 0, _customers(run))
        transaction.set_rollback(True)
    return result


def _customers(run: InvoiceRun) -> tuple[CustomerResult, ...]:
    items = list(RunItem.objects.filter(run=run))
    invoices = {invoice.party_id: invoice for invoice in Invoice.objects.filter(run=run).annotate(line_count=Count("lines"))}
    names: dict[UUID, str] = {}
    versions = BillingCustomer.objects.filter(party_id__in=[item.party_id for item in items])
    names.update(versions.order_by("valid_from").values_list("party_id", "name"))
    results = []
    for item in items:
        invoice = invoices.get(item.party_id)
        results.append(
            CustomerResult(
                party_id=item.party_id,
                name=names.get(item.party_id, str(item.party_id)),
                state=item.state,
                number=invoice.number if invoice else None,
                lines=invoice.line_count if invoice else 0,
                payable=invoice.payable if invoice else Decimal("0.00"),
                reasons=tuple(reason.with_id for reason in item.why),
            )
        )
    return tuple(sorted(results, key=lambda result: swedish_key(result.name)))
