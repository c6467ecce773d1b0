"""The application's event table with its seals, and the documents table."""

from siths_portal.lib import events
from siths_portal.lib.audit import seals
from siths_portal.lib.database import documents


class Event(events.AppendOnlyEvent):
    """An event of billing: a price or customer version, a run, a draft, an issued or rendered invoice."""

    class Meta(events.AppendOnlyEvent.Meta):
        pass


class EventSeal(seals.AuditSeal):
    """The seal of one event."""


class EventMacs(seals.AuditMacs):
    """MACs over the seals, made with a key of the token."""


class Document(documents.Document):
    """Bytes of an invoice: the UBL document and the PDF."""
