"""The application's event table with its seals, and the documents table."""

from siths_portal.lib import events
from siths_portal.lib.audit import seals
from siths_portal.lib.database import documents


class Event(events.AppendOnlyEvent):
    """What happened in billing: price and customer versions, runs, drafts, issued and rendered invoices."""

    class Meta(events.AppendOnlyEvent.Meta):
        pass


class EventSeal(seals.AuditSeal):
    """The seal of one event."""


class EventMacs(seals.AuditMacs):
    """MACs by a key of the token over the seals."""


class Document(documents.Document):
    """Bytes of an invoice: the UBL document and the PDF."""
