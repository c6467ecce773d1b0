"""Sends the outbox through the access point and asks for the receivers' verdicts.

A worker leases a delivery in a short transaction, calls the access point outside any transaction, and records the result in a
second one. If it dies in between, the lease ends and the call is repeated with the same message id and the same bytes.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from billing.delivery.models import Delivery, DeliveryAttempt, DeliveryState
from billing.delivery.ports import AccessPoint, OutgoingDocument, Report, Status
from billing.invoices.models import FileFormat, InvoiceFile
from billing.records.models import Event
from siths_portal.lib import clock, faults
from siths_portal.lib import ports as connected
from siths_portal.lib.database import leases
from siths_portal.lib.database.leases import FIRST_WAIT, wait_after
from siths_portal.lib.errors import Refused, Unavailable

ACTOR = "system:delivery"
LEASE = dt.timedelta(minutes=10)
"""Longer than one call can take."""

STOPPED_WAIT = dt.timedelta(hours=6)
"""The access point's refusal may concern its own register, so the call is repeated some times a day. No call is planned later
than this.
"""

BATCH = 500
LONGEST_REASON = 500
SENDER_SCHEME = "0007"  # the Swedish organisation number
_SETTLED = {Status.DELIVERED: DeliveryState.DELIVERED, Status.REJECTED: DeliveryState.REJECTED}

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class _Leased:
    """A delivery for this worker, with what it sends."""

    delivery_id: UUID
    state: str
    document: OutgoingDocument


def send_due(*, limit: int = BATCH) -> int:
    """Makes the call that is due for each delivery whose file exists, and returns how many calls were made.

    Can be repeated, run by several workers and killed.
    """
    calls = 0
    while calls < limit and (leased := _lease()) is not None:
        _call(leased)
        calls += 1
    return calls


def lease(rows: QuerySet[Any]) -> Any:
    """Returns the row of `rows` that has been due longest, with its invoice and leased for `LEASE`, or None."""
    return leases.lease(rows.select_related("invoice"), lasts=LEASE, furthest=STOPPED_WAIT)


def _lease() -> _Leased | None:
    file = InvoiceFile.objects.filter(invoice=OuterRef("invoice"), file_format=FileFormat.PEPPOL)
    with transaction.atomic(durable=True):
        delivery = lease(Delivery.objects.filter(Exists(file)))
        if delivery is None:
            return None
        return _Leased(delivery.pk, delivery.state, _document(delivery))


def _document(delivery: Delivery) -> OutgoingDocument:
    invoice = delivery.invoice
    file = InvoiceFile.objects.select_related("document").get(invoice=invoice, file_format=FileFormat.PEPPOL)
    return OutgoingDocument(
        message_id=delivery.message_id,
        number=invoice.number or "",
        document_type=invoice.document_type,
        sender=(SENDER_SCHEME, invoice.seller["organisation_number"]),
        receiver=(invoice.buyer["endpoint_scheme"], invoice.buyer["endpoint_id"]),
        sha256=file.document_id,
        content=file.document.read(),
    )


def _call(leased: _Leased) -> None:
    point = connected.get(AccessPoint)
    asks = leased.state == DeliveryState.SUBMITTED
    outcome: str
    try:
        report = point.status(leased.document) if asks else point.submit(leased.document)
        outcome = report.status.value
    except Unavailable:
        report, outcome = None, "unavailable"
    except Refused as error:
        report, outcome = Report(Status.UNKNOWN, error.message[:LONGEST_REASON]), "refused"
    faults.point("billing.deliver")
    _record(leased, "status" if asks else "submit", outcome, report)


def _record(leased: _Leased, call: str, outcome: str, report: Report | None) -> None:
    with transaction.atomic(durable=True):
        delivery = Delivery.objects.select_for_update(no_key=True).get(pk=leased.delivery_id)
        reason = report.reason[:LONGEST_REASON] if report else ""
        DeliveryAttempt.objects.create(delivery=delivery, at=clock.now(), call=call, outcome=outcome, reason=reason)
        if delivery.state != leased.state:
            return  # another worker, or a person, has gone on meanwhile; what this call did is kept above
        before = delivery.state
        _advance(delivery, outcome, report)
        delivery.reason = reason
        delivery.save()
        if delivery.state != before:
            _tell(delivery, leased.document)


def _advance(delivery: Delivery, outcome: str, report: Report | None) -> None:
    """Sets state and time of the next call after `outcome`."""
    now = clock.now()
    delivery.attempts += 1
    if report is not None and report.status in _SETTLED:
        delivery.state, delivery.settled_at, delivery.next_at = _SETTLED[report.status], now, None
        return
    if outcome == "refused":
        delivery.state, delivery.next_at = DeliveryState.STOPPED, now + STOPPED_WAIT
        return
    if outcome == Status.ACCEPTED and delivery.state != DeliveryState.SUBMITTED:
        delivery.state, delivery.attempts = DeliveryState.SUBMITTED, 0
    elif outcome == Status.UNKNOWN:  # the access point has lost it, or never had it: hand it over again
        delivery.state, delivery.next_at = DeliveryState.WAITING, now + FIRST_WAIT
        return
    delivery.next_at = now + wait_after(delivery.attempts)


def _tell(delivery: Delivery, document: OutgoingDocument) -> None:
    log.info("delivery.changed", number=document.number, state=delivery.state)
    Event.record(
        actor_ref=ACTOR,
        action=f"invoice.{_ACTIONS[delivery.state]}",
        subject_type="invoice",
        subject_ref=str(delivery.invoice_id),
        facts={"number": document.number, "message_id": str(document.message_id), "sha256": document.sha256},
    )


_ACTIONS = {
    DeliveryState.SUBMITTED.value: "submitted",
    DeliveryState.WAITING.value: "resubmitted",
    DeliveryState.STOPPED.value: "delivery_stopped",
    DeliveryState.DELIVERED.value: "delivered",
    DeliveryState.REJECTED.value: "rejected",
}
