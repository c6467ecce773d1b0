"""Where the outbox has a document, for the document's own page."""

from uuid import UUID

from billing.delivery.models import Delivery, DeliveryState
from billing.invoices.queries.progress import Way

_MOVES = (DeliveryState.WAITING, DeliveryState.SUBMITTED)


def way_of(invoice_id: UUID) -> Way | None:
    """Returns the way of a document; None for one that was never queued. One that was stopped waits for a person."""
    state = Delivery.objects.filter(invoice=invoice_id).values_list("state", flat=True).first()
    return Way(state, state in _MOVES) if state else None
