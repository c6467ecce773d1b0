"""The lists of what happened to a person, a carrier or an eID, and of who looked at a person."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.person_page.queries.access_log import AccessEntry
from issuance.records.models.events import Event
from issuance.records.queries.history import HistoryEntry, PersonHistory
from issuance.records.web.frame import actor_of
from issuance.records.web.history import TIME, EventList, PeriodForm
from siths_portal.lib.lists import Column, Empty, Rows, Source
from siths_portal.lib.lists import Shown as Page

_KINDS: Mapping[str, tuple[Any, tuple[str, ...]]] = {
    "kort": (gettext_lazy("Kort"), ("carrier",)),
    "eid": (gettext_lazy("SITHS eID"), ("eid", "eid_order")),
    "bestallning": (gettext_lazy("Beställningar"), ("order", "eid_order")),
    "besok": (gettext_lazy("Identifiering och aktivering"), ("identification", "transaction")),
    "person": (gettext_lazy("Person, uppdrag och roller"), ("person", "post")),
    "registervard": (gettext_lazy("Registervård"), ("work_item",)),
}
"""The kinds of events that a history can be narrowed to, with the types of their subjects."""


class HistoryForm(PeriodForm):
    """The days and the kind of events that a history covers."""

    galler = forms.ChoiceField(
        label=gettext_lazy("Händelser om"),
        required=False,
        choices=[("", gettext_lazy("Allt")), *((key, text) for key, (text, _subjects) in _KINDS.items())],
        error_messages={"invalid_choice": gettext_lazy("Välj i listan.")},
    )


class PaperList[L](EventList[L]):
    """A list of events that can be shown without the frame, to print. Its paper is recorded as a file."""

    most_on_paper = 1000

    @property
    def on_paper(self) -> bool:
        """True if the request asks for the list to print."""
        return self.request.GET.get("papper") == "1"

    @property
    def page_size(self) -> int:  # type: ignore[override]
        """The rows of a page; a paper has no further pages."""
        return self.most_on_paper if self.on_paper else EventList.page_size

    @property
    def paper_url(self) -> str:
        """The URL of the list to print, with what is chosen."""
        return self._url(ordning=self._order.text, papper="1")

    def shown(self) -> Page[L]:
        """See `List`. Records a paper before it is shown."""
        page = super().shown()
        if self.on_paper and page.lines:
            self.note_file("papper", len(page.lines))
        return page


def _what(entry: HistoryEntry) -> str:
    """Returns the action; struck through if it was withdrawn."""
    if not entry.is_withdrawn:
        return entry.what
    tag = render_to_string("components/tag.html", {"kind": "cancelled", "text": _("Återtagen")})
    return format_html("<s>{}</s> {}", entry.what, tag)


def _what_in_file(entry: HistoryEntry) -> str:
    return f"{entry.what} ({_('Återtagen').lower()})" if entry.is_withdrawn else entry.what


def _below(entry: HistoryEntry) -> Iterator[str]:
    yield from (f"{label}: {value}" for label, value in entry.facts)
    if entry.withdraws:
        address = reverse("identification_withdraw", args=[entry.withdraws])
        yield format_html('<a class="ds-link" href="{}">{}</a>', address, _("Ta tillbaka identifieringen"))


class PersonHistoryList(PaperList[HistoryEntry]):
    """The history of a person, or of one of their carriers or eIDs. Its view, which shows the person too, records the page as a
    disclosure; a file or a paper is recorded here.
    """

    columns = (
        TIME,
        Column(
            key="handelse",
            heading=gettext_lazy("Händelse"),
            value=_what,
            below=_below,
            file_value=_what_in_file,
            row_header=True,
        ),
        Column(
            key="uppgifter",
            heading=gettext_lazy("Uppgifter"),
            value=lambda entry: "; ".join(f"{label}: {value}" for label, value in entry.facts),
            on_page=False,
        ),
        Column(key="galler", heading=gettext_lazy("Gäller"), value="subject"),
        Column(key="vem", heading=gettext_lazy("Vem"), value="who"),
    )
    table_id = "historik"
    file_name = gettext_lazy("historik")
    empty = Empty(gettext_lazy("Ingen historik"), gettext_lazy("Inget har hänt som du får se."))
    no_match = Empty(gettext_lazy("Ingen historik"), gettext_lazy("Inget som du får se hände av det som du valde."))

    def __init__(self, request: HttpRequest, found: PersonHistory, file: Shown, subject: UUID) -> None:
        super().__init__(request)
        self.found, self.file_shown, self.subject = found, file, subject

    def form(self) -> forms.BaseForm:
        """See `List`."""
        return HistoryForm(self.request.GET)

    def rows(self) -> Source[HistoryEntry]:
        """See `List`."""
        chosen = self.chosen.get("galler")
        kinds = _KINDS[chosen][1] if chosen else ()
        return replace(self.found, since=self.since, until=self.until, kinds=kinds)

    def note_file(self, kind: str, rows: int) -> None:
        """See `List`."""
        disclosures.record(
            actor=actor_of(self.request),
            person_id=self.found.person_id,
            shown=self.file_shown,
            subject=self.subject,
            facts={**self.chosen_facts, "rows": rows},
        )


class AccessList(PaperList[AccessEntry]):
    """Who was shown data of a person."""

    columns = (
        TIME,
        Column(key="vad", heading=gettext_lazy("Vad"), value="what", row_header=True),
        Column(key="vem", heading=gettext_lazy("Vem"), value="who"),
    )
    table_id = "historik"
    file_name = gettext_lazy("vem har tittat")
    empty = Empty(gettext_lazy("Ingen har tittat"), gettext_lazy("Ingen har sett personens uppgifter i portalen."))
    no_match = Empty(gettext_lazy("Ingen har tittat"), gettext_lazy("Ingen såg personens uppgifter de dagar som du valde."))

    def __init__(self, request: HttpRequest, found: Rows[Event, AccessEntry], person_id: UUID) -> None:
        super().__init__(request)
        self.found, self.person_id = found, person_id

    def rows(self) -> Source[AccessEntry]:
        """See `List`."""
        return self.found.filter(self.period)

    def note_file(self, kind: str, rows: int) -> None:
        """See `List`."""
        disclosures.record(
            actor=actor_of(self.request),
            person_id=self.person_id,
            shown=Shown.ACCESS_LOG_FILE,
            facts={**self.chosen_facts, "rows": rows},
        )
