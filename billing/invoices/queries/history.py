"""The history of an issued document for people: its events in words, without who acted.

Each package registers the texts of its own events. An event without a text, such as a download, is not part of the history.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any
from uuid import UUID

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.invoices.models import FileFormat
from billing.records.models import Event
from siths_portal.lib.registry import Registry

type Text = str | Promise


@dataclass(frozen=True)
class EventText:
    """The text of the events with this action: fixed, or made of an event's facts."""

    action: str
    text: Text | Callable[[Mapping[str, Any]], Text]

    def of(self, facts: Mapping[str, Any]) -> str:
        """Returns the text of an event with these facts."""
        return str(self.text if isinstance(self.text, str | Promise) else self.text(facts))


TEXTS = Registry[EventText](key=attrgetter("action"))


@dataclass(frozen=True)
class HistoryRow:
    """An event of a document: when, and what happened."""

    at: dt.datetime
    text: str


OTHERS = Registry[Callable[[UUID], Iterable[HistoryRow]]]()
"""Functions that return what rows of other tables tell of a document, such as its payments."""


def history(invoice_id: UUID) -> list[HistoryRow]:
    """Returns what happened to a document, the oldest first. The caller has checked that the actor may read it."""
    texts = {each.action: each for each in TEXTS}
    events = Event.objects.filter(subject_type="invoice", subject_ref=str(invoice_id), action__in=texts)
    rows = events.order_by("id").values_list("at", "action", "facts")
    found = [HistoryRow(at, texts[action].of(facts)) for at, action, facts in rows]
    return sorted([*found, *(row for rows_of in OTHERS for row in rows_of(invoice_id))], key=attrgetter("at"))


_MADE = {FileFormat.PDF.value: _("PDF skapades"), FileFormat.PEPPOL.value: _("E-faktura skapades")}

TEXTS.register(
    EventText("invoice.issued", lambda facts: _("Utfärdades med nummer {number}").format(number=facts["number"])),
    EventText("invoice.rendered", lambda facts: _MADE[facts["format"]]),
)
