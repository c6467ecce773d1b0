"""Issues the drafts of a run: numbers them in one short transaction, in order of organisation number."""

from django.db import transaction

from billing.delivery.services import outbox
from billing.invoices.models import Invoice, InvoiceState
from billing.invoices.services import numbering
from billing.runs.models import InvoiceRun, ItemState, RunItem


def issue(run: InvoiceRun, *, actor_ref: str) -> int:
    """Numbers every draft of the run and returns how many. A second caller at the same time gets 0.

    The drafts are issued atomically. Raises Conflict as `numbering.assign` does.
    """
    with transaction.atomic(durable=True):
        drafted = RunItem.objects.select_for_update().filter(run=run, state=ItemState.DRAFTED)
        items = dict(drafted.order_by("party_id").values_list("party_id", "pk"))
        if not items:
            return 0
        # Only drafts of the locked items: another worker may have committed one more in the meantime.
        drafts = Invoice.objects.select_for_update(of=("self",)).filter(run=run, party_id__in=items, state=InvoiceState.DRAFT)
        ordered = sorted(drafts, key=lambda draft: (draft.buyer["organisation_number"], str(draft.party_id)))
        numbering.assign(ordered, actor_ref=actor_ref)
        outbox.add(ordered)
        RunItem.objects.filter(pk__in=items.values()).update(state=ItemState.ISSUED)
        return len(ordered)
