"""Tables of billing."""

from billing.models.audit import Document, Event, EventMacs, EventSeal
from billing.models.customers import BillingCustomer, CustomerState
from billing.models.invoices import (
    Counter,
    FileFormat,
    Invoice,
    InvoiceFile,
    InvoiceLine,
    InvoiceState,
    LineEvent,
    SeriesCorrection,
)
from billing.models.ledger import FeedPosition, LedgerEntry, PriceItem, SubscriptionSnapshot, UnpricedFact
from billing.models.runs import InvoiceRun, ItemState, RunItem, RunState

__all__ = [
    "BillingCustomer",
    "Counter",
    "CustomerState",
    "Document",
    "Event",
    "EventMacs",
    "EventSeal",
    "FeedPosition",
    "FileFormat",
    "Invoice",
    "InvoiceFile",
    "InvoiceLine",
    "InvoiceRun",
    "InvoiceState",
    "ItemState",
    "LedgerEntry",
    "LineEvent",
    "PriceItem",
    "RunItem",
    "RunState",
    "SeriesCorrection",
    "SubscriptionSnapshot",
    "UnpricedFact",
]
