"""The outbox: which issued documents are to be sent. The row is inserted in the transaction that issues the document."""

import uuid
from collections.abc import Iterable

from billing.customers.models import BillingCustomer
from billing.delivery.models import Delivery, Notice
from billing.invoices.models import Invoice
from siths_portal.lib import clock

_NAMESPACE = uuid.UUID("6f1c5bb2-8a0e-5f0b-9d5c-0e6d3b7a4c11")


def message_id(number: str) -> uuid.UUID:
    """Returns the id of the document at the access point: the same at each try."""
    return uuid.uuid5(_NAMESPACE, number)


def add(issued: Iterable[Invoice]) -> None:
    """Adds an outbox row for each document that the caller's transaction has just numbered, and a notice where one is wanted."""
    now, issued = clock.now(), list(issued)
    customers = BillingCustomer.objects.filter(pk__in={invoice.customer_id for invoice in issued})
    wanted = dict(customers.exclude(notice_email="").values_list("pk", "notice_email"))
    Notice.objects.bulk_create(
        [
            Notice(invoice=invoice, recipient=wanted[invoice.customer_id], next_at=now)
            for invoice in issued
            if invoice.customer_id in wanted
        ]
    )
    Delivery.objects.bulk_create(
        [Delivery(invoice=invoice, message_id=message_id(invoice.number or ""), queued_at=now, next_at=now) for invoice in issued]
    )
