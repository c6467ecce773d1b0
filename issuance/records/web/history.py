"""Lists of events, the newest first, and the history of a row that the actor sees (`administration/history.html`)."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from uuid import UUID

from django import forms
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext_lazy

from issuance.administration.queries import history
from issuance.administration.queries.history import ConfigurationEntry, FieldChange
from issuance.people.services import disclosures
from issuance.records.queries.history import BY_TIME
from issuance.records.web.frame import actor_of
from siths_portal.lib import clock
from siths_portal.lib.lists import Column, Empty, Kind, List, Source
from siths_portal.lib.pages.forms import DayInput, Form

TEMPLATE = "administration/history.html"
_DAY_ERROR = {"invalid": gettext_lazy("Skriv dagen som åååå-mm-dd.")}


class PeriodForm(Form):
    """The days that a list of events covers."""

    fran = forms.DateField(label=gettext_lazy("Från och med"), required=False, widget=DayInput(), error_messages=_DAY_ERROR)
    till = forms.DateField(label=gettext_lazy("Till och med"), required=False, widget=DayInput(), error_messages=_DAY_ERROR)

    def clean(self) -> dict[str, Any]:
        """Refuses a last day before the first."""
        data: dict[str, Any] = super().clean() or self.cleaned_data
        first, last = data.get("fran"), data.get("till")
        if first and last and last < first:
            self.add_error("till", _("Sista dagen ligger före första dagen. Ändra en av dem."))
        return data


TIME = Column[Any](key="tid", heading=gettext_lazy("Tid"), value="at", kind=Kind.SECOND, sort=BY_TIME)
"""When an event happened."""


class EventList[L](List[L]):
    """A list of events, narrowed by days. Its files are recorded as disclosures by the subclass."""

    counted_as = ngettext_lazy("{n} händelse", "{n} händelser")
    order = "-tid"
    css = "history"
    count_to = 0  # counting a long history costs a further query on each page
    files = ("csv", "xlsx")

    def form(self) -> forms.BaseForm:
        """See `List`."""
        return PeriodForm(self.request.GET)

    @property
    def since(self) -> dt.datetime | None:
        """The beginning of the first chosen day; None without one."""
        first = self.chosen.get("fran")
        return clock.start_of_day(first) if first else None

    @property
    def until(self) -> dt.datetime | None:
        """The end of the last chosen day; None without one."""
        last = self.chosen.get("till")
        return clock.end_of_day(last) if last else None

    @property
    def period(self) -> Q:
        """The condition for events of the chosen days."""
        since = Q(at__gte=self.since) if self.since else Q()
        return since & Q(at__lt=self.until) if self.until else since

    @property
    def chosen_facts(self) -> Mapping[str, str]:
        """What is chosen, for the event of a file."""
        return {name: value.isoformat() if isinstance(value, dt.date) else str(value) for name, value in self.chosen.items()}


class HistoryList(EventList[ConfigurationEntry]):
    """The change history of one subject, which the caller has checked that the actor may see."""

    columns = (
        TIME,
        Column(
            key="handelse", heading=gettext_lazy("Händelse"), value="what", below=lambda entry: _below(entry), row_header=True
        ),
        Column(
            key="galler",
            heading=gettext_lazy("Gäller"),
            value=lambda entry: f"{entry.subject.label}: {_name(entry)}" if entry.subject else "",
            on_page=False,
        ),
        Column(
            key="uppgifter",
            heading=gettext_lazy("Uppgifter"),
            value=lambda entry: "; ".join(f"{label}: {value}" for label, value in _details(entry)),
            on_page=False,
        ),
        Column(
            key="vem",
            heading=gettext_lazy("Vem"),
            value="who",
            below=lambda entry: [entry.hsa_id] if entry.hsa_id else [],
        ),
        Column(key="id", heading=gettext_lazy("Tjänste-id"), value="hsa_id", on_page=False),
    )
    table_id = "historik"
    heading_level = "3"
    file_name = gettext_lazy("historik")
    empty = Empty(gettext_lazy("Ingen historik"), gettext_lazy("Inget har ändrats."))
    no_match = Empty(gettext_lazy("Ingen historik"), gettext_lazy("Inget ändrades de dagar som du valde."))

    def __init__(self, request: HttpRequest, subject_type: str, subject_ref: UUID | str) -> None:
        super().__init__(request)
        self.actor, self.subject_type, self.subject_ref = actor_of(request), subject_type, subject_ref

    def rows(self) -> Source[ConfigurationEntry]:
        """See `List`."""
        found = history.history(actor=self.actor, subject_type=self.subject_type, subject_ref=self.subject_ref)
        return found.filter(self.period)

    def note_file(self, kind: str, rows: int) -> None:
        """See `List`. The history names the people who acted."""
        disclosures.record_history_file(
            actor=self.actor, of=self.subject_type, subject_ref=self.subject_ref, rows=rows, chosen=self.chosen_facts
        )

    def page(self, draw: Callable[[dict[str, Any], int], HttpResponse]) -> HttpResponseBase:
        """Returns the list's file, or the page that `draw` makes of the context of `TEMPLATE` and the status."""
        return self.answer(lambda shown: draw({"list": shown, "form": shown.form}, shown.status))


def _name(entry: ConfigurationEntry) -> str:
    return (entry.subject.name if entry.subject else "") or _("utanför din behörighet")


def _details(entry: ConfigurationEntry) -> Iterator[tuple[str, str]]:
    """Yields labels and values of an entry as files have them."""
    yield from entry.facts
    yield from ((change.label, f"{change.before} → {change.after}") for change in entry.changes)


def _below(entry: ConfigurationEntry) -> Iterator[str]:
    """Yields what a page shows under an entry's action: its subject with a link, facts, and changes."""
    if subject := entry.subject:
        name = _name(entry)
        if subject.name:
            name = format_html('<a class="ds-link" href="{}">{}</a>', reverse(subject.kind, args=[subject.ref]), name)
        yield format_html("{}: {}", subject.label, name)
    yield from (f"{label}: {value}" for label, value in entry.facts)
    yield from (_changed(change) for change in entry.changes)


def _changed(change: FieldChange) -> str:
    """Returns a change with its values. The arrow is for the eye; screen readers read words."""
    if change.is_long:
        return render_to_string("components/long_change.html", {"change": change})
    return format_html(
        '{}: <span class="ds-sr-only">{} </span>{} <span aria-hidden="true">→</span><span class="ds-sr-only">{}</span> {}',
        change.label, _("från"), change.before, _("till"), change.after,
    )  # fmt: skip
