"""Issues the drafts of a run: numbers them in one short transaction, in order of organisation number."""

from uuid import UUID

from django.db import transaction

from billing.delivery.services import outbox
from billing.documents import validation
from billing.invoices.services import numbering
from billing.runs.models import InvoiceRun, ItemState, RunItem
from billing.runs.services import approvals


def issue(run: InvoiceRun, *, actor_ref: str) -> int:
    """Numbers every draft of the run and returns how many. A second caller at the same time gets 0.

    For operators: needs no approval as long as nobody of finance has released drafts of the run. After a release it numbers only
    what two people approved, as `issue_approved` does. The drafts are issued atomically. Raises Conflict as `numbering.assign`
    does.
    """
    with transaction.atomic(durable=True):
        approvals.locked(run.pk)
        if run.approvals.exists() and not _is_approved(run):
            return 0
        return _issue(run, actor_ref)


def issue_approved(run_id: UUID, *, actor_ref: str) -> int:
    """Numbers the drafts of the run if two people approved exactly these drafts, and returns how many.

    Returns 0 if they did not, if they are issued already, or if other rules passed a draft. Raises Conflict as `issue` does.
    """
    with transaction.atomic(durable=True):
        run = approvals.locked(run_id)
        return _issue(run, actor_ref) if _is_approved(run) else 0


def _is_approved(run: InvoiceRun) -> bool:
    """Returns whether two people approved exactly the run's drafts, and its rules are the present ones. Locks the drafts."""
    _lock_drafted(run)  # first, so that no draft goes between the comparison and its number
    if run.items.filter(state=ItemState.PENDING).exists():
        return False
    approval = approvals.standing(run, approvals.reviewed(run))
    if approval is None or approval.approved_at is None:
        return False
    return not approvals.drafts_of(run).exclude(gate_version=validation.VERSION).exists()  # the job makes such drafts again


def _lock_drafted(run: InvoiceRun) -> dict[UUID, int]:
    """Locks the items with drafts and returns their keys by party."""
    drafted = RunItem.objects.select_for_update().filter(run=run, state=ItemState.DRAFTED)
    return dict(drafted.order_by("party_id").values_list("party_id", "pk"))


def _issue(run: InvoiceRun, actor_ref: str) -> int:
    items = _lock_drafted(run)
    if not items:
        return 0
    # Only drafts of the locked items: another worker may have committed one more in the meantime.
    drafts = approvals.drafts_of(run).select_for_update(of=("self",)).filter(party_id__in=items)
    ordered = sorted(drafts, key=lambda draft: (draft.buyer["organisation_number"], str(draft.party_id)))
    numbering.assign(ordered, actor_ref=actor_ref)
    outbox.add(ordered)
    RunItem.objects.filter(pk__in=items.values()).update(state=ItemState.ISSUED)
    return len(ordered)
