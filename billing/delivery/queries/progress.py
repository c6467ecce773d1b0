"""Where the outbox has a document, for the document's own page."""

from django.db.models import F

from billing.delivery.models import DeliveryState
from billing.invoices.queries.progress import Ways

DELIVERIES = Ways(F("delivery__state"), frozenset({DeliveryState.WAITING.value, DeliveryState.SUBMITTED.value}))
"""A document that was stopped waits for a person."""
