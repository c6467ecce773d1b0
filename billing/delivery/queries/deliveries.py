"""Deliveries as the pages show them, for finance persons."""

import datetime as dt
from dataclasses import dataclass

from billing.delivery.models import REFUSED, UNDELIVERED, Delivery, DeliveryAttempt, DeliveryState, Notice
from billing.documents.domain.invoices import DocumentType
from issuance.authz import Action, Actor, policy
from siths_portal.lib.lists import Rows

ACTION = Action.MANAGE_BILLING
_ATTEMPTS_SHOWN = 50


@dataclass(frozen=True)
class DeliveryRow:
    """A delivery in the list."""

    number: str
    customer: str
    state: DeliveryState
    queued_at: dt.datetime
    settled_at: dt.datetime | None
    next_at: dt.datetime | None
    reason: str


@dataclass(frozen=True)
class DeliveryView:
    """A delivery with its newest calls to the access point, the newest first."""

    row: DeliveryRow
    document_type: DocumentType
    message_id: str
    receiver: str
    calls: tuple[DeliveryAttempt, ...]
    notice: Notice | None
    """The e-mail to the customer, if it has an address for that."""


def rows(actor: Actor) -> Rows[Delivery, DeliveryRow]:
    """Returns every delivery. Raises Forbidden."""
    policy.require_global(actor, ACTION)
    return Rows(Delivery.objects.select_related("invoice"), lambda found: [_row(each) for each in found])


@dataclass(frozen=True)
class Totals:
    """How many documents wait for the access point or the receiver, and how many are refused by one of them."""

    waiting: int
    refused: int


def totals(actor: Actor) -> Totals:
    """Returns the totals. Raises Forbidden."""
    policy.require_global(actor, ACTION)
    return Totals(Delivery.objects.filter(state__in=UNDELIVERED).count(), refused_count())


def view(actor: Actor, number: str) -> DeliveryView:
    """Returns one delivery. Raises Forbidden, and NotFound if no document with this number was queued."""
    policy.require_global(actor, ACTION)
    delivery = Delivery.objects.select_related("invoice").filter(invoice__number=number).first()
    if delivery is None:
        raise policy.not_found()
    calls = DeliveryAttempt.objects.filter(delivery=delivery).order_by("-id")[:_ATTEMPTS_SHOWN]
    buyer = delivery.invoice.buyer
    return DeliveryView(
        _row(delivery),
        DocumentType(delivery.invoice.document_type),
        str(delivery.message_id),
        f"{buyer['endpoint_scheme']}:{buyer['endpoint_id']}",
        tuple(calls),
        Notice.objects.filter(invoice=delivery.invoice_id).first(),
    )


def refused_count() -> int:
    """Returns how many documents the access point or the receiver refuses."""
    return Delivery.objects.filter(state__in=REFUSED).count()


def _row(delivery: Delivery) -> DeliveryRow:
    return DeliveryRow(
        number=delivery.invoice.number or "",
        customer=delivery.invoice.buyer["name"],
        state=DeliveryState(delivery.state),
        queued_at=delivery.queued_at,
        settled_at=delivery.settled_at,
        next_at=delivery.next_at,
        reason=delivery.reason,
    )
