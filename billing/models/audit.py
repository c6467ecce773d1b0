"""The application's event table with its seals, and the documents table."""

from siths_portal.lib import audit, documents, events


class Event(events.AppendOnlyEvent):
    """What happened in billing: price and customer versions, runs, drafts, issued and rendered invoices."""

    class Meta(events.AppendOnlyEvent.Meta):
        pass


class EventSeal(audit.AuditSeal):
    """The seal of one event."""


class EventMacs(audit.AuditMacs):
    """MACs by a key of the token over the seals."""


class Document(documents.Document):
    """Bytes of an invoice: the UBL document and the PDF."""
