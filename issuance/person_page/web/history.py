"""The list of what happened to a person or a carrier."""

from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from issuance.people.services import disclosures
from issuance.people.services.disclosures import Shown
from issuance.records.queries.history import HistoryEntry, PersonHistory
from issuance.records.web.frame import actor_of
from issuance.records.web.history import TIME, EventList
from siths_portal.lib.lists import Column, Empty, Source


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


class PersonHistoryList(EventList[HistoryEntry]):
    """The history of a person or of one of their carriers. The page is recorded as a disclosure by its view, which shows the
    person too; a file is recorded here.
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
    no_match = Empty(gettext_lazy("Ingen historik"), gettext_lazy("Inget som du får se hände de dagar som du valde."))

    def __init__(self, request: HttpRequest, found: PersonHistory, file: Shown, subject: UUID) -> None:
        super().__init__(request)
        self.found, self.file_shown, self.subject = found, file, subject

    def rows(self) -> Source[HistoryEntry]:
        """See `List`."""
        return replace(self.found, since=self.since, until=self.until)

    def note_file(self, kind: str, rows: int) -> None:
        """See `List`."""
        disclosures.record(
            actor=actor_of(self.request),
            person_id=self.found.person_id,
            shown=self.file_shown,
            subject=self.subject,
            facts={**self.chosen_facts, "rows": rows},
        )
