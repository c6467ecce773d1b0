"""Reminders of overdue invoices: finance asks for one, and a worker sends it at least once, with the same message id."""

import datetime as dt
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db import transaction

from billing.customers.models import BillingCustomer
from billing.delivery.services.sending import LONGEST_REASON, lease
from billing.invoices.models import Invoice
from billing.payments.models import Reminder, ReminderState
from billing.payments.queries import balances
from billing.payments.services import disputes
from billing.records.domain import identifiers, money
from billing.records.models import Event
from issuance.authz import Actor
from siths_portal.lib import clock
from siths_portal.lib import ports as connected
from siths_portal.lib.database.leases import wait_after
from siths_portal.lib.errors import Conflict, Refused, Unavailable
from siths_portal.lib.mail import Mailer, Message

SENDER = "system:reminders"
BETWEEN = dt.timedelta(days=7)
"""The least time between two reminders of an invoice."""

BATCH = 500


@dataclass(frozen=True)
class _Leased:
    """A reminder for this worker, with its message; without one it is not needed any more."""

    reminder_id: UUID
    message: Message | None


@transaction.atomic(durable=True)
def remind(*, actor: Actor, number: str) -> None:
    """Asks for a reminder of an overdue invoice. Raises Forbidden, NotFound, and Conflict with what prevents it."""
    invoice = disputes.find(actor, number, lock=True)
    if hindrance := hindrances([invoice])[invoice.pk]:
        raise Conflict("no-reminder", f"Faktura {number} får ingen påminnelse. {hindrance}")
    recipient = addresses([invoice.party_id])[invoice.party_id]
    now = clock.now()
    reminder = Reminder.objects.create(
        invoice=invoice, recipient=recipient, requested_by=actor.ref, requested_at=now, next_at=now
    )  # fmt: skip
    _record(actor.ref, "invoice.reminder_requested", reminder, number)


def hindrances(invoices: Collection[Invoice]) -> dict[UUID, str]:
    """Returns for each invoice why it can get no reminder now, "" if it can, in a constant number of queries."""
    ids = [invoice.pk for invoice in invoices]
    found = balances.settlements(ids)
    recent = Reminder.objects.filter(invoice_id__in=ids).exclude(state=ReminderState.NOT_NEEDED)
    reminded = set(recent.filter(requested_at__gt=clock.now() - BETWEEN).values_list("invoice_id", flat=True))
    reachable = addresses({invoice.party_id for invoice in invoices})

    def hindrance(invoice: Invoice) -> str:
        settlement = found[invoice.pk]
        if not settlement.overdue:
            return "Fakturan är inte förfallen."
        if settlement.disputed:
            return "Kunden godtar inte fakturan."
        if invoice.pk in reminded:
            return f"Kunden har fått en påminnelse de senaste {BETWEEN.days} dagarna."
        return "" if invoice.party_id in reachable else "Kunden har ingen e-postadress för fakturor."

    return {invoice.pk: hindrance(invoice) for invoice in invoices}


def addresses(party_ids: Collection[UUID]) -> dict[UUID, str]:
    """Returns the customers' addresses for notices. Leaves out customers without one."""
    present = BillingCustomer.objects.filter(party_id__in=party_ids, valid_until=None).exclude(notice_email="")
    return dict(present.values_list("party_id", "notice_email"))


def send_due(*, limit: int = BATCH) -> int:
    """Sends each reminder that is due and returns how many it tried. Can be repeated, run by several workers and killed."""
    tried = 0
    while tried < limit and (leased := _lease()) is not None:
        state, reason = ReminderState.NOT_NEEDED, ""
        if leased.message:
            state, reason = _send(leased.message)
        _settle(leased, state, reason)
        tried += 1
    return tried


def _lease() -> _Leased | None:
    with transaction.atomic(durable=True):
        reminder = lease(Reminder.objects.all())
        if reminder is None:
            return None
        settlement = balances.settlements([reminder.invoice_id])[reminder.invoice_id]
        needed = settlement.overdue and not settlement.disputed
        return _Leased(reminder.pk, message_about(reminder, settlement.remaining) if needed else None)


def _send(message: Message) -> tuple[ReminderState, str]:
    try:
        connected.get(Mailer).send(message)
    except Unavailable:
        return ReminderState.WAITING, ""
    except Refused as error:
        return ReminderState.REFUSED, error.message[:LONGEST_REASON]
    return ReminderState.SENT, ""


def message_about(reminder: Reminder, remaining: Decimal) -> Message:
    """Returns the reminder: the invoice's number, what remains of it, and how to pay it."""
    invoice = reminder.invoice
    seller, domain = invoice.seller, settings.DEFAULT_FROM_EMAIL.rpartition("@")[2]
    text = (
        f"Hej!\n\nFaktura {invoice.number} från {seller['name']} skulle betalas senast {invoice.due_date}. "
        f"Vi har inte fått hela betalningen.\n\n"
        f"Kvar att betala: {money.swedish(remaining)} kr\n"
        f"Bankgiro: {identifiers.bankgiro_printed(seller['bankgiro'])}\nOCR-nummer: {invoice.payment_reference}\n\n"
        f"Har ni redan betalat behöver ni inte göra något. Är fakturan fel, eller har ni frågor: {seller['email']}\n\n"
        f"Det går inte att svara på det här meddelandet.\n"
    )
    subject = f"Påminnelse om faktura {invoice.number} från {seller['name']}"
    return Message(f"reminder-{reminder.pk}@{domain}", reminder.recipient, subject, text)


def _settle(leased: _Leased, state: ReminderState, reason: str) -> None:
    with transaction.atomic(durable=True):
        reminder = Reminder.objects.select_for_update(no_key=True).get(pk=leased.reminder_id)
        if reminder.state != ReminderState.WAITING:
            return
        now = clock.now()
        reminder.attempts += 1
        reminder.state, reminder.reason = state, reason
        reminder.next_at = now + wait_after(reminder.attempts) if state == ReminderState.WAITING else None
        reminder.settled_at = None if state == ReminderState.WAITING else now
        reminder.save()
        if state != ReminderState.WAITING:
            words = {ReminderState.SENT: "reminded", ReminderState.REFUSED: "reminder_refused"}
            action = f"invoice.{words.get(state, 'reminder_not_needed')}"
            _record(SENDER, action, reminder, Invoice.objects.get(pk=reminder.invoice_id).number or "")


def _record(actor_ref: str, action: str, reminder: Reminder, number: str) -> None:
    Event.record(
        actor_ref=actor_ref,
        action=action,
        subject_type="invoice",
        subject_ref=str(reminder.invoice_id),
        facts={"number": number, "reminder": str(reminder.pk)},
    )
