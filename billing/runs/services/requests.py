"""What a person asks of a run on its page, besides the approval: to open a month, and to make drafts again."""

from uuid import UUID

from django.db import transaction

from billing.ledger.services import ledger
from billing.records.domain.periods import Month
from billing.records.models import Event
from billing.runs.models import InvoiceRun
from billing.runs.services import runs, schedule
from issuance.authz import Action, Actor, policy

ACTION = Action.MANAGE_BILLING


def open_month(*, actor: Actor, month: Month) -> InvoiceRun:
    """Asks for the month's run before the scheduled job does, and wakes the task that drafts it.

    Raises Forbidden, and Invalid if the month is not over.
    """
    policy.require_global(actor, ACTION)
    with transaction.atomic(durable=True):
        known = InvoiceRun.objects.filter(period=month.first_day).exists()
        run = runs.request_run(month)
        if not known:
            Event.record(actor_ref=actor.ref, action="run.requested", subject_type="run", subject_ref=str(run.pk))
        schedule.wake_drafting(run)
        return run


def redraft(*, actor: Actor, run_id: UUID, party_id: UUID | None = None) -> int:
    """Makes the draft of one customer, or all drafts, again with the prices and customer data of now. Returns how many.

    Raises Forbidden, NotFound, and Conflict if the run is not open yet.
    """
    policy.require_global(actor, ACTION)
    ledger.collect()  # what waited for a price
    with transaction.atomic(durable=True):
        pending = runs.redraft(run_id, actor_ref=actor.ref, party_id=party_id)
        schedule.wake_drafting(InvoiceRun.objects.get(pk=run_id), schedule.WORKERS if party_id is None else 1)
        return pending
