"""Disputes about an invoice, for finance."""

from dataclasses import dataclass

from billing.payments.models import Dispute
from billing.payments.services import disputes
from issuance.authz import Actor


@dataclass(frozen=True)
class DisputeView:
    """An invoice with its open dispute, if any, and those that are closed, the newest first."""

    number: str
    customer: str
    open: Dispute | None
    closed: tuple[Dispute, ...]


def view(actor: Actor, number: str) -> DisputeView:
    """Returns the disputes about an invoice. Raises Forbidden and NotFound."""
    invoice = disputes.find(actor, number)
    rows = list(Dispute.objects.filter(invoice=invoice).order_by("-opened_at", "-pk"))
    waiting = next((row for row in rows if row.closed_at is None), None)
    closed = tuple(row for row in rows if row.closed_at is not None)
    return DisputeView(number, invoice.buyer["name"], waiting, closed)
