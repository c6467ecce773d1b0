"""Disputes: finance records that a customer does not accept an invoice, and how that ended."""

from django.db import transaction

from billing.invoices.models import Invoice
from billing.payments.models import Dispute, DisputeReason
from billing.payments.queries import balances
from billing.payments.services.notes import refuse, written
from billing.payments.services.receiving import ACTION
from billing.records.models import Event
from issuance.authz import Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.errors import Conflict


@transaction.atomic(durable=True)
def open_dispute(*, actor: Actor, number: str, reason: str, note: str) -> None:
    """Opens a dispute about an invoice. Raises Forbidden, NotFound, Invalid at a field, and Conflict if one is open."""
    invoice = find(actor, number, lock=True)
    if reason not in DisputeReason.values:
        refuse("reason", "reason-wrong", "Välj vad kunden inte godtar.")
    note = written("note", note, "Skriv vad kunden inte godtar.")
    if Dispute.objects.filter(invoice=invoice, closed_at=None).exists():
        raise Conflict("dispute-open", "Fakturan har redan en tvist. Ladda om sidan.")
    Dispute.objects.create(invoice=invoice, reason=reason, note=note, opened_by=actor.ref, opened_at=clock.now())
    _record(actor, "invoice.disputed", invoice, {"reason": reason, "note": note})


@transaction.atomic(durable=True)
def close_dispute(*, actor: Actor, number: str, outcome: str) -> None:
    """Closes the open dispute. Raises Forbidden, NotFound, Invalid at `outcome`, and Conflict if none is open."""
    invoice = find(actor, number, lock=True)
    outcome = written("outcome", outcome, "Skriv hur tvisten slutade.")
    dispute = Dispute.objects.filter(invoice=invoice, closed_at=None).first()
    if dispute is None:
        raise Conflict("dispute-closed", "Tvisten är redan avslutad. Ladda om sidan.")
    dispute.outcome, dispute.closed_by, dispute.closed_at = outcome, actor.ref, clock.now()
    dispute.save(update_fields=["outcome", "closed_by", "closed_at"])
    _record(actor, "invoice.dispute_closed", invoice, {"outcome": outcome})


def find(actor: Actor, number: str, *, lock: bool = False) -> Invoice:
    """Returns an issued invoice, for finance. Raises Forbidden, and NotFound also for a credit note."""
    policy.require_global(actor, ACTION)
    rows = balances.issued_invoices().filter(number=number)
    invoice = (rows.select_for_update(no_key=True) if lock else rows).first()
    if invoice is None:
        raise policy.not_found()
    return invoice


def _record(actor: Actor, action: str, invoice: Invoice, facts: dict[str, str]) -> None:
    Event.record(
        actor_ref=actor.ref,
        action=action,
        subject_type="invoice",
        subject_ref=str(invoice.pk),
        facts={"number": invoice.number, **facts},
    )
