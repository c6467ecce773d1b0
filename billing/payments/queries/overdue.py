"""Overdue invoices with their disputes and reminders, for finance."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.invoices.models import Invoice
from billing.invoices.queries.settlement import Paid
from billing.payments.models import Reminder, ReminderState
from billing.payments.queries import balances
from billing.payments.queries.payments import ACTION
from billing.payments.services import reminding
from issuance.authz import Actor, policy
from siths_portal.lib import clock
from siths_portal.lib.lists import Rows


@dataclass(frozen=True)
class OverdueRow:
    """An overdue invoice. `reminder` is the newest one, `hindrance` why it can get none now, "" if it can."""

    number: str
    party_id: UUID
    customer: str
    due_date: dt.date
    days: int
    remaining: Decimal
    disputed: bool
    reminder: Reminder | None
    hindrance: str


def rows(actor: Actor) -> Rows[Invoice, OverdueRow]:
    """Returns the overdue invoices. Raises Forbidden."""
    policy.require_global(actor, ACTION)
    return Rows(balances.narrow(Invoice.objects.all(), Paid.OVERDUE), _rows)


def count() -> int:
    """Returns how many invoices are overdue and not disputed."""
    overdue = balances.narrow(Invoice.objects.all(), Paid.OVERDUE)
    return overdue.filter(disputed=False).count()


def _rows(found: Sequence[Any]) -> list[OverdueRow]:
    hindrances = reminding.hindrances(found)
    newest: dict[object, Reminder] = {}
    for reminder in Reminder.objects.filter(invoice__in=[invoice.pk for invoice in found]).order_by("requested_at", "pk"):
        newest[reminder.invoice_id] = reminder
    today = clock.today()
    return [
        OverdueRow(
            number=invoice.number or "",
            party_id=invoice.party_id,
            customer=invoice.buyer["name"],
            due_date=invoice.due_date or today,
            days=(today - (invoice.due_date or today)).days,
            remaining=invoice.remaining,
            disputed=invoice.disputed,
            reminder=newest.get(invoice.pk),
            hindrance=hindrances[invoice.pk],
        )
        for invoice in found
    ]


def reminder_text(reminder: Reminder) -> str:
    """Returns the state of a reminder in words, with its day."""
    day = reminder.requested_at.astimezone(clock.STOCKHOLM).date()
    return f"{day}: {ReminderState(reminder.state).label}"


def sent_on(number: str) -> list[dt.date]:
    """Returns the days on which reminders of an invoice were sent."""
    sent = Reminder.objects.filter(invoice__number=number, state=ReminderState.SENT).order_by("settled_at")
    return [at.astimezone(clock.STOCKHOLM).date() for at in sent.values_list("settled_at", flat=True) if at]
