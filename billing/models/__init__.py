"""Tables of billing."""

from billing.credit.models import CreditRequest, CreditRequestLine, Treatment
from billing.customers.models import (
    BillingCustomer,
    CustomerConfirmation,
    CustomerImport,
    CustomerState,
    EndpointChange,
)
from billing.delivery.models import Delivery, DeliveryAttempt, DeliveryState, Notice, NoticeState
from billing.invoices.models import (
    Counter,
    EntryRelease,
    FileFormat,
    Invoice,
    InvoiceFile,
    InvoiceLine,
    InvoiceState,
    LineEvent,
    SeriesCorrection,
    UsedNumber,
)
from billing.ledger.models import FeedPosition, LedgerEntry, SubscriptionEvidence, SubscriptionSnapshot, UnpricedFact
from billing.payments.models import Dispute, DisputeReason, Payment, PaymentAllocation, PaymentFile, Reminder, ReminderState
from billing.price_changes.models import PriceChange, PriceImport
from billing.prices.models import PriceItem
from billing.records.models import Document, Event, EventMacs, EventSeal, RetentionRule
from billing.runs.models import InvoiceRun, ItemState, RunApproval, RunCheck, RunItem, RunState

__all__ = [
    "BillingCustomer",
    "Counter",
    "CreditRequest",
    "CreditRequestLine",
    "CustomerConfirmation",
    "CustomerImport",
    "CustomerState",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryState",
    "Dispute",
    "DisputeReason",
    "Document",
    "EndpointChange",
    "EntryRelease",
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
    "Notice",
    "NoticeState",
    "Payment",
    "PaymentAllocation",
    "PaymentFile",
    "PriceChange",
    "PriceImport",
    "PriceItem",
    "Reminder",
    "ReminderState",
    "RetentionRule",
    "RunApproval",
    "RunCheck",
    "RunItem",
    "RunState",
    "SeriesCorrection",
    "SubscriptionEvidence",
    "SubscriptionSnapshot",
    "Treatment",
    "UnpricedFact",
    "UsedNumber",
]
