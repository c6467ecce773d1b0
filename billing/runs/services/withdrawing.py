"""Drafts that a correction of the ledger makes wrong: they are deleted, and their customers are drafted again."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from uuid import UUID

from billing.invoices.models import Invoice, InvoiceState
from billing.ledger.services import ledger
from billing.runs.models import InvoiceRun, ItemState, RunItem, RunState


@contextmanager
def holding_runs() -> Iterator[None]:
    """Locks the runs that are not issued and the ledger, in the order of `approvals.locked`, until the transaction ends."""
    list(InvoiceRun.objects.select_for_update(no_key=True).exclude(state=RunState.ISSUED).order_by("period"))
    with ledger.writing():
        yield


def withdraw_drafts(party_ids: Collection[UUID]) -> list[RunItem]:
    """Deletes the parties' drafts and returns their items, locked in the caller's transaction, which began with `holding_runs`.

    A worker that drafts one of them at the same time either finished before or waits for the caller.
    """
    items = RunItem.objects.select_for_update(of=("self",)).filter(party_id__in=party_ids).exclude(state=ItemState.ISSUED)
    found = list(items.exclude(run__state=RunState.ISSUED).order_by("party_id", "pk"))
    Invoice.objects.filter(party_id__in=party_ids, run__in=[item.run_id for item in found], state=InvoiceState.DRAFT).delete()
    return found


def draft_again(items: Collection[RunItem]) -> None:
    """Lets the next drafting include everything that is in the ledger now. The caller is inside `holding_runs`."""
    RunItem.objects.filter(pk__in=[item.pk for item in items]).update(state=ItemState.PENDING, cutoff=ledger.newest_entry())
    InvoiceRun.objects.filter(pk__in={item.run_id for item in items}).update(state=RunState.OPEN)
